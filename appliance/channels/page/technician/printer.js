// The printer: what the appliance says of one.

import { make } from '../dom.js';
import { half } from '../strings.js';
import { note } from './facts.js';

export function printer(page) {
  const body = make('div', {}, note(page.words.asking));
  page.summary().then((summary) => {
    body.replaceChildren(summary ? note(half(summary.printer.reason, page.language)) : note(page.words.unreachable, 'is-bad'));
  });
  return { body };
}
