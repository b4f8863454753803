// The printer: what it says of itself, and a slip to hold in the hand.

import { make } from '../dom.js';
import { half } from '../strings.js';
import { note, rows } from './facts.js';

const BY_ITSELF = { ready: 'pass', failed: 'fail' };

export function printer(page) {
  const { words, language } = page;
  const said = make('div', { role: 'status' }, note(words.asking));
  const button = make('button', { type: 'button', class: 't-do', disabled: '', onclick: () => ask('POST') }, words.printSlip);
  const show = ({ state, device, reason }, printed) => {
    const text = half(reason, language);
    said.replaceChildren(...(device ? [rows([[words.deviceName, device], [words.state, words.printerStates[state]]])] : []),
      note(text, state === 'failed' ? 'is-bad' : ''), ...(printed ? [note(words.lookAtSlip)] : []));
    if (state !== 'off') page.measured('printer', BY_ITSELF[state] ?? null, `${device} · ${text}`);
    button.disabled = state === 'off';
  };
  const ask = async (method) => {
    button.disabled = true;
    try {
      show(await page.visit.request(method, 'printer'), method === 'POST');
    } catch (error) {
      said.replaceChildren(note(half(error.message || '', language) || words.unreachable, 'is-bad'),
        note(half(error.remedy || '', language)));
      if (method === 'POST') page.measured('printer', 'fail', half(error.message || '', language));
      button.disabled = false;
    }
  };
  ask('GET');
  return { body: make('div', {}, said, make('div', { class: 't-dos' }, button)) };
}
