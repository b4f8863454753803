// What the technician found, on one page; it goes into the appliance's log when that is asked for, and nowhere else.

import { make } from '../dom.js';
import { CHECKS } from './checks.js';
import { note } from './facts.js';

const SENT = { pass: 'pass', fail: 'fail' };

export function results(page) {
  const { words } = page;
  const said = make('div', { role: 'status' });
  const table = make('table', { class: 't-table' },
    make('thead', {}, make('tr', {}, ...words.resultHeads.map((head) => make('th', { scope: 'col' }, head)))),
    make('tbody', {}, ...CHECKS.map((check) => make('tr', {}, make('th', { scope: 'row' }, words.panels[check]),
      make('td', {}, page.badge(check)), make('td', {}, page.found[check]?.measured ?? '—')))));
  const send = async () => {
    button.disabled = true;
    try {
      const found = CHECKS.map((check) => [check, SENT[page.found[check]?.verdict] ?? 'not run']);
      await page.visit.request('POST', 'report', { results: Object.fromEntries(found) });
      said.replaceChildren(note(words.reported));
    } catch {
      said.replaceChildren(note(words.unreachable, 'is-bad'));
    }
    button.disabled = false;
  };
  const button = make('button', { type: 'button', class: 't-do', id: 'report', onclick: send }, words.report);
  return { body: make('div', {}, table, note(words.reportHow), make('div', { class: 't-dos' }, button), said) };
}
