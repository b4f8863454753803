// Elements made without markup: text is always text, so nothing that is read or typed can become a tag.

export const $ = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

export function icon(name) {
  return draw('svg', { 'aria-hidden': 'true' }, draw('use', { href: `#i-${name}` }));
}

// Empties a field for good: Ctrl+Z would bring back what was typed, were its editor not made anew with its type.
export function forget(field) {
  const { type } = field;
  field.value = '';
  field.type = 'hidden';
  field.type = type;
}

let hiding = 0;

export function toast(text) {
  const element = $('toast');
  element.textContent = text;
  element.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { element.hidden = true; }, 3500);
}
