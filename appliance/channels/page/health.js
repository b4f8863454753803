// The appliance's state on the page: pushed over /v1/events, polled from /readyz while no stream is to be had.

import { $, make } from './dom.js';
import { statements } from './strings.js';

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Health {
  constructor(api, words, language, changed) {
    this.api = api;
    this.words = words;
    this.language = language;
    this.changed = changed; // (features by name) => void
    this.state = 'wait';
    this.features = [];
    this.opened = new Set();
  }

  async run() {
    let pause = 1000;
    for (;;) {
      try {
        await this.api.events((name, data) => {
          pause = 1000;
          if (name === 'state') this.#take(data);
        }, new AbortController().signal);
      } catch (error) {
        if (error.status === 503) await this.#poll();
      }
      if (!(await this.#poll())) {
        this.#show('offline');
        pause = Math.min(pause * 2, 10000);
      }
      await wait(pause);
    }
  }

  async #poll() {
    try {
      this.#take(await this.api.ready());
      return true;
    } catch {
      return false;
    }
  }

  #take({ ready, features }) {
    this.features = features;
    const worse = features.some((f) => f.state === 'failed' || f.state === 'fallback');
    let state = 'ready';
    if (!ready) state = 'notReady';
    else if (worse) state = 'limited';
    this.#show(state);
    this.changed(Object.fromEntries(features.map((f) => [f.name, f])));
  }

  #show(state) {
    this.state = state;
    this.translate();
  }

  translate() {
    const words = this.words();
    $('state').dataset.state = this.state;
    const text = words[this.state];
    // Told beside the button: what stands in a button is part of its name, and no change of it is read out.
    for (const id of ['state-text', 'state-told']) if ($(id).textContent !== text) $(id).textContent = text;
    $('features').replaceChildren(...this.features.map((f) => make('li', { 'data-state': f.state },
      make('span', { class: 'dot', 'aria-hidden': 'true' }),
      make('div', {},
        make('p', { class: 'feature' }, words.features[f.name] ?? f.name, make('span', { class: 'badge' }, words.states[f.state] ?? f.state)),
        words.plain[f.state] ? make('p', { class: 'plain' }, words.plain[f.state]) : null,
        this.#details(f, words)))));
  }

  // Names of parts and reasons are for staff.
  #details(feature, words) {
    const parts = [feature.backend === 'none' ? '' : feature.backend, ...feature.models].filter(Boolean).join(' · ');
    if (!parts && !feature.reason) return null;
    return make('details', { class: 'reason', open: this.opened.has(feature.name), ontoggle: (event) => {
      this.opened[event.target.open ? 'add' : 'delete'](feature.name); // the list is drawn anew with every change
    } }, make('summary', {}, words.why),
    parts ? make('p', { class: 'backend' }, parts) : null,
    ...statements(feature.reason, this.language()).map((said) => make('p', { class: 'backend' }, said)));
  }
}
