// The bar above the pinyin keys: what is spelt, the words and characters that it may stand for, and a sheet with all of them.

import { $, icon, make } from './dom.js';
import { characters, pieces, wordsFor } from './pinyin.js';

const HAN = /^\p{Script=Han}$/u;

export class Candidates {
  #letters = '';
  #found = []; // { text, used }
  #asked = new AbortController();

  // `take(candidate)` writes one.
  constructor(words, suggest, take) {
    Object.assign(this, { words, suggest, take });
    this.word = null; // the appliance's word for everything that is spelt
    this.bar = $('candidates');
    this.row = $('candidates-row');
    this.more = $('candidates-more');
    this.row.addEventListener('click', (event) => {
      const button = event.target.closest('button');
      if (button) this.take(this.#found[Number(button.dataset.index)]);
    });
    this.more.addEventListener('click', () => this.#unfold(!this.bar.classList.contains('unfolded')));
  }

  show(on) {
    this.bar.hidden = !on;
    this.#draw();
  }

  takeFirst() {
    this.take(this.#found[0]);
  }

  // Finds candidates for `letters` behind the text `before`; the appliance's words come a few milliseconds later.
  async spell(letters, before) {
    this.#asked.abort();
    const { signal } = this.#asked = new AbortController();
    this.#letters = letters;
    this.word = null;
    this.#unfold(false);
    this.#fill([], []);
    if (!letters) return;
    const found = await Promise.all([...new Set([before + letters, letters])].map((text) => this.suggest.fitting(text, signal)));
    if (signal.aborted) return;
    const fitting = wordsFor(letters, found.flat().flatMap(({ label, text }) => [label, text]));
    this.#fill(fitting.filter((word) => !HAN.test(word)), fitting.filter((word) => HAN.test(word)));
  }

  // Words first, then characters, those before others that a suggested word begins with; at last the letters themselves.
  #fill(found, single) {
    const letters = this.#letters;
    [this.word = null] = found;
    const known = characters(letters);
    const likely = known.filter(({ text }) => single.includes(text));
    this.#found = letters ? [
      ...found.map((text) => ({ text, used: letters.length })),
      ...likely, ...known.filter((candidate) => !likely.includes(candidate)),
      { text: letters.replaceAll("'", ''), used: letters.length },
    ] : [];
    this.#draw();
  }

  #draw() {
    const words = this.words().keys;
    const spelt = pieces(this.#letters)?.join(' ') ?? this.#letters;
    $('candidates-spelt').textContent = spelt;
    $('candidates-spelt').hidden = !spelt;
    this.more.hidden = !spelt;
    this.more.setAttribute('aria-label', words.more);
    this.row.setAttribute('aria-label', words.candidates);
    this.row.replaceChildren(...(this.#found.length ? this.#found.map(({ text }, index) => make('button', {
      type: 'button', class: text.length > 1 ? 'candidate word' : 'candidate', tabindex: index ? -1 : 0, 'data-index': index,
    }, text)) : [make('p', { class: 'candidates-hint' }, words.spell)]));
    this.row.scrollLeft = 0;
  }

  // All candidates over the keys, or the first ones in a row.
  #unfold(on) {
    this.bar.classList.toggle('unfolded', on);
    this.more.setAttribute('aria-expanded', String(on));
    this.more.replaceChildren(icon(on ? 'fold' : 'unfold'));
    this.row.scrollTop = 0;
  }
}
