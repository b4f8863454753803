// The barcode scanner: what it types, how fast, and with which key it ends; by the rules by which customers' scans are told
// from typing. What was scanned stands on this panel alone.

import { make } from '../dom.js';
import { GAP_MS, LEAST, SILENCE_MS, character, ends } from '../scanner.js';
import { note, rows } from './facts.js';

export function scanner(page) {
  const { words } = page;
  const ending = new AbortController();
  const shown = make('div', { role: 'status' }, note(words.scanNow));
  let keys = [];
  let timer = 0;
  const finish = (suffix) => {
    clearTimeout(timer);
    const [burst, text] = [keys, keys.map(({ key }) => key).join('')];
    keys = [];
    if (burst.length < 2) return;
    const gaps = burst.slice(1).map(({ at }, i) => at - burst[i].at);
    const median = [...gaps].sort((a, b) => a - b)[gaps.length >> 1];
    const scan = text.length >= LEAST && median <= GAP_MS;
    shown.replaceChildren(rows([
      [words.scanned, text],
      [words.characters, String(text.length)],
      [words.gaps, words.gapsOf(median.toFixed(1), Math.max(...gaps).toFixed(1))],
      [words.suffix, suffix || words.noSuffix],
      [words.asScan, scan ? words.doesScan : words.noScan(LEAST, GAP_MS)],
    ]));
    if (scan) page.measured('scanner', 'pass', words.measuredScan(text.length, median.toFixed(0)));
  };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const key = character(event);
    const following = keys.length > 0 && event.timeStamp - keys.at(-1).at <= SILENCE_MS;
    if (key) {
      if (keys.length && !following) finish('');
      keys.push({ key, at: event.timeStamp });
      event.preventDefault();
      clearTimeout(timer);
      timer = setTimeout(() => finish(''), SILENCE_MS);
    } else if (ends(event) && following) {
      event.preventDefault();
      event.stopPropagation();
      finish(event.key === 'Process' ? event.code : event.key);
    }
  }, { capture: true, signal: ending.signal });
  return {
    body: make('div', {}, note(words.scanHow), shown),
    close: () => {
      clearTimeout(timer);
      ending.abort();
    },
  };
}
