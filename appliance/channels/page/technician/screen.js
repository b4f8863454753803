// The screen: one colour after the other from edge to edge, in which a dead pixel or a stain is seen.

import { make } from '../dom.js';
import { note } from './facts.js';

const COLOURS = ['white', 'black', 'red', 'green', 'blue', 'grey', 'lines'];

export function screen(page) {
  const { words } = page;
  let dialog = null;
  const drop = () => {
    const shown = dialog;
    dialog = null;
    shown?.close();
    shown?.remove();
  };
  const begin = () => {
    let at = 0;
    const next = (event) => {
      event.preventDefault();
      at += 1;
      if (at < COLOURS.length) dialog.dataset.colour = COLOURS[at];
      else dialog.close();
    };
    dialog = make('dialog', {
      id: 'screen-colours', class: 't-colours', 'data-colour': COLOURS[0], 'aria-label': words.panels.screen,
      tabindex: -1, onclick: next, onclose: () => { drop(); start.focus(); },
      onkeydown: (event) => { if (['Enter', ' ', 'ArrowRight'].includes(event.key)) next(event); },
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.focus();
  };
  const start = make('button', { type: 'button', class: 't-do', id: 'screen-start', onclick: begin }, words.screenStart);
  return { body: make('div', {}, note(words.screenHow), make('div', { class: 't-dos' }, start)), close: drop };
}
