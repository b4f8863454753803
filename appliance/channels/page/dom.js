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

// A word in passing, for a few seconds. It stands where the shop's name is, whatever the size of the screen and of the
// letters: nothing else is always there, and nobody taps it. As a popover it lies above an open dialog.
export function toast(text) {
  const element = $('toast');
  const { left, top, width, height } = $('brand').getBoundingClientRect();
  element.style.setProperty('--left', `${left}px`);
  element.style.setProperty('--top', `${top + height / 2}px`);
  element.style.setProperty('--width', `${width}px`);
  clearTimeout(hiding);
  if (!element.hidden) element.hidePopover(); // shown anew, so that it lies on top
  element.hidden = false;
  element.showPopover();
  element.textContent = text;
  hiding = setTimeout(() => {
    element.hidePopover();
    element.hidden = true;
  }, 3500);
}
