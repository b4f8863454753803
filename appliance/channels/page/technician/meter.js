// A level meter: root mean square as a bar, the peak as a mark, clipping said in words.

import { make } from '../dom.js';

const FLOOR_DB = -60;
const CLIPPED_DB = -0.1;
const HEARD_DB = -45; // speech at a counter is louder than this, as `appliance mic test` has it

const part = (db) => Math.min(1, Math.max(0, 1 - db / FLOOR_DB));

export class Meter {
  loudest = -Infinity;
  clips = 0;

  constructor(words) {
    this.words = words;
    this.bar = make('span', { class: 't-level-bar' });
    this.mark = make('span', { class: 't-level-mark' });
    this.text = make('p', { class: 't-level-text' });
    this.element = make('div', { class: 't-meter' },
      make('div', { class: 't-level', 'aria-hidden': 'true' }, this.bar, this.mark), this.text);
  }

  show(level, peak) {
    this.loudest = Math.max(this.loudest, level);
    const clipped = peak >= CLIPPED_DB;
    if (clipped) this.clips += 1;
    this.bar.style.setProperty('transform', `scaleX(${part(level).toFixed(3)})`);
    this.mark.style.setProperty('left', `${(part(peak) * 100).toFixed(1)}%`);
    this.element.classList.toggle('is-clipped', clipped);
    const shown = (db) => (db <= -120 ? '−∞' : db.toFixed(1));
    this.text.textContent = this.words.level(shown(level), shown(peak), shown(this.loudest)) + (clipped ? this.words.clipped : '');
  }

  // What the figures say: loud enough and never clipped, clipped, or nobody has spoken yet.
  get verdict() {
    if (this.clips) return 'fail';
    return this.loudest >= HEARD_DB ? 'pass' : null;
  }
}
