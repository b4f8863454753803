// Touch: the whole screen in cells, to be gone over with fingers. What was not felt is shown; nothing between two points
// that were told is filled in, or a dead stripe would pass.

import { make } from '../dom.js';
import { note, rows } from './facts.js';

const CELL = 80; // pixels, about a finger and a half
const FIRST_MS = 20000; // nothing felt for so long from the beginning on
const QUIET_MS = 5000; // or after the last touch: no button, for it would lie where fingers go
const STALE_MS = 30000; // or without a new cell: a broken screen touches itself without end

export function touch(page) {
  const { words } = page;
  const shown = make('div', {});
  let grid = null;
  const start = make('button', { type: 'button', class: 't-do', id: 'touch-start', onclick: () => begin() }, words.touchStart);
  const begin = () => {
    grid = new Grid(page, (outcome) => {
      grid = null;
      shown.replaceChildren(...described(page, outcome));
      start.focus();
    });
  };
  return {
    body: make('div', {}, note(words.touchHow), make('div', { class: 't-dos' }, start), shown),
    close: () => grid?.drop(),
  };
}

function described(page, { columns, felt, most, kinds }) {
  const { words } = page;
  const dead = felt.map((cell, i) => (cell ? null : i)).filter((i) => i !== null);
  const verdict = dead.length ? 'fail' : 'pass';
  page.measured('touch', verdict, words.measuredTouch(felt.length - dead.length, felt.length, most));
  const map = make('div', { class: 't-map', role: 'img', 'aria-label': words.touchMap }, ...felt.map((cell) => make('i', { class: cell ? 'is-felt' : '' })));
  map.style.setProperty('--columns', columns);
  const places = dead.slice(0, 24).map((i) => words.place(Math.floor(i / columns) + 1, (i % columns) + 1));
  return [
    rows([
      [words.cells, `${felt.length - dead.length} / ${felt.length}`],
      [words.fingers, String(most)],
      [words.pointers, [...kinds].join(', ') || '—'],
      [words.dead, dead.length ? places.join(words.comma) + (dead.length > 24 ? ' …' : '') : words.none],
    ]),
    map,
  ];
}

class Grid {
  #points = new Map();
  #most = 0;
  #kinds = new Set();
  #quiet = 0;
  #stale = 0;
  #over = false;

  // `over(outcome)` is told when every cell was felt, when Escape ended it, or when nothing, or nothing new, was felt for a
  // while.
  constructor(page, over) {
    this.over = over;
    this.columns = Math.max(4, Math.round(innerWidth / CELL));
    this.lines = Math.max(3, Math.round(innerHeight / CELL));
    this.cells = Array.from({ length: this.columns * this.lines }, () => make('i', {}));
    this.count = make('p', { class: 't-grid-count', role: 'status' });
    this.dialog = make('dialog', { id: 'touch-grid', class: 't-grid', 'aria-label': page.words.panels.touch, lang: page.words.code,
      tabindex: -1 }, ...this.cells, make('div', { class: 't-grid-over' }, this.count));
    this.dialog.style.setProperty('--columns', this.columns);
    this.dialog.style.setProperty('--lines', this.lines);
    for (const name of ['pointerdown', 'pointermove', 'pointerup', 'pointercancel']) {
      this.dialog.addEventListener(name, (event) => this.#feel(event));
    }
    this.dialog.addEventListener('contextmenu', (event) => event.preventDefault());
    this.dialog.addEventListener('keydown', (event) => { if (event.key === 'Escape') event.preventDefault(); });
    this.dialog.addEventListener('keyup', (event) => { if (event.key === 'Escape') this.#finish(); });
    this.dialog.addEventListener('close', () => this.#finish());
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.dialog.focus();
    this.#felt(FIRST_MS);
    this.#fresh();
  }

  drop() {
    this.#over = true;
    clearTimeout(this.#quiet);
    clearTimeout(this.#stale);
    this.dialog.close();
    this.dialog.remove();
  }

  #finish() {
    if (this.#over) return;
    this.drop();
    this.over({
      columns: this.columns, felt: this.cells.map((cell) => cell.classList.contains('is-felt')), most: this.#most, kinds: this.#kinds,
    });
  }

  #feel(event) {
    const down = event.type === 'pointerdown' || (event.type === 'pointermove' && event.buttons > 0);
    if (down) this.#points.set(event.pointerId, true);
    else if (event.type !== 'pointermove') this.#points.delete(event.pointerId);
    if (!down) return;
    this.#most = Math.max(this.#most, this.#points.size);
    this.#kinds.add(event.pointerType);
    for (const each of event.getCoalescedEvents?.() ?? []) this.#mark(each);
    this.#mark(event);
    this.#felt();
    if (this.cells.every((cell) => cell.classList.contains('is-felt'))) this.#finish();
  }

  #mark({ clientX, clientY }) {
    const column = Math.min(this.columns - 1, Math.floor((clientX / innerWidth) * this.columns));
    const line = Math.min(this.lines - 1, Math.floor((clientY / innerHeight) * this.lines));
    const cell = this.cells[Math.max(0, line) * this.columns + Math.max(0, column)];
    if (!cell.classList.contains('is-felt')) this.#fresh();
    cell.classList.add('is-felt');
  }

  #fresh() {
    clearTimeout(this.#stale);
    this.#stale = setTimeout(() => this.#finish(), STALE_MS);
  }

  #felt(patience = QUIET_MS) {
    this.count.textContent = `${this.cells.filter((cell) => cell.classList.contains('is-felt')).length} / ${this.cells.length}`;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#finish(), patience);
  }
}
