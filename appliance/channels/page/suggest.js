// Questions that fit what is being typed, in a list above the field: ARIA's combobox with a listbox. What is asked for is
// what stands in the field; it is sent to this machine only, and forgotten with the next key.

import { $, icon, make } from './dom.js';

const PAUSE_MS = 120;
const MOST = 8;
const LONGEST = 64; // characters that the appliance completes

export class Suggest {
  #asked = new AbortController();
  #timer = 0;
  #shown = [];
  #active = -1;
  #missing = false; // an appliance without suggestions is not asked again

  // `chosen(suggestion)` takes the one that was tapped, or selected by arrow keys and Enter.
  constructor(api, words, language, chosen) {
    Object.assign(this, { api, words, language, chosen });
    this.field = $('text');
    this.list = $('suggest');
    this.field.addEventListener('input', () => this.typed(this.field.value));
    this.field.addEventListener('keydown', (event) => this.#key(event));
    this.field.addEventListener('blur', () => this.clear());
    this.list.addEventListener('mousedown', (event) => event.preventDefault()); // the field keeps the focus
    this.list.addEventListener('click', (event) => {
      const option = event.target.closest('[role=option]');
      if (option) this.#choose(Number(option.dataset.index));
    });
  }

  get open() {
    return this.#shown.length > 0;
  }

  clear() {
    clearTimeout(this.#timer);
    this.#asked.abort();
    this.#show([]);
  }

  // Shows what fits `text`, after a pause: the next key may be on its way.
  typed(text, pause = PAUSE_MS) {
    clearTimeout(this.#timer);
    this.#asked.abort();
    const { signal } = this.#asked = new AbortController();
    this.#timer = setTimeout(async () => {
      const found = await this.fitting(text, signal);
      if (!signal.aborted && !this.#stands(found)) this.#show(found);
    }, text.trim() ? pause : 0);
  }

  // Suggestions for `text`; none where the appliance has none or cannot be asked: typing goes on without.
  async fitting(text, signal) {
    if (this.#missing || !text.trim() || text.length > LONGEST) return [];
    try {
      const { suggestions } = await this.api.suggestions(text, this.language(), signal);
      return suggestions.slice(0, MOST);
    } catch (error) {
      this.#missing ||= error.status === 404;
      return [];
    }
  }

  // The same list for one letter more: what a customer has marked in it meanwhile stays marked.
  #stands(suggestions) {
    return this.open && JSON.stringify(suggestions) === JSON.stringify(this.#shown);
  }

  #show(suggestions) {
    this.#shown = suggestions;
    this.#active = -1;
    this.list.replaceChildren(...suggestions.map((suggestion, index) => make('li', {
      id: `suggest-${index}`, role: 'option', 'aria-selected': 'false', 'data-index': index,
      lang: this.language() === 'en' ? 'en' : 'zh-CN',
    }, icon('ask'), make('span', {}, suggestion.label))));
    this.list.style.setProperty('--room', `${this.field.getBoundingClientRect().top - 24}px`); // it never leaves the screen
    this.list.hidden = !this.open;
    this.list.scrollTop = 0;
    this.field.setAttribute('aria-expanded', String(this.open));
    this.field.removeAttribute('aria-activedescendant');
    $('suggest-count').textContent = this.open ? this.words().suggested(suggestions.length) : '';
  }

  #mark(index) {
    this.#active = index;
    [...this.list.children].forEach((option, i) => option.setAttribute('aria-selected', String(i === index)));
    if (index < 0) {
      this.field.removeAttribute('aria-activedescendant');
    } else {
      this.field.setAttribute('aria-activedescendant', `suggest-${index}`);
      this.list.children[index].scrollIntoView({ block: 'nearest' });
    }
  }

  #key(event) {
    if (!this.open || event.isComposing) return;
    const count = this.#shown.length;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      // One place more than there are options: with none marked, Enter sends what was typed.
      const step = event.key === 'ArrowDown' ? 1 : count;
      this.#mark(((this.#active + 1 + step) % (count + 1)) - 1);
    } else if (event.key === 'Enter' && this.#active >= 0) {
      this.#choose(this.#active);
    } else if (event.key === 'Escape') {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
  }

  #choose(index) {
    const suggestion = this.#shown[index];
    this.clear();
    if (suggestion) this.chosen(suggestion);
  }
}
