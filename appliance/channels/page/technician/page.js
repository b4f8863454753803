// The service page: cards, each of which opens one thing to look at or to try; what the technician found; and the way out.

import { icon, make } from '../dom.js';
import { camera } from './camera.js';
import { CHECKS } from './checks.js';
import { machine, models, power } from './facts.js';
import { microphone } from './microphone.js';
import { printer } from './printer.js';
import { results } from './results.js';
import { scanner } from './scanner.js';
import { screen } from './screen.js';
import { speaker } from './speaker.js';
import { STRINGS } from './strings.js';
import { touch } from './touch.js';
import { Visit } from './visit.js';

const PANELS = { machine, models, power, microphone, speaker, camera, touch, scanner, printer, screen, results };
const ICONS = {
  machine: 'find', models: 'parcel', power: 'torch', microphone: 'mic', speaker: 'ask', camera: 'camera', touch: 'place',
  scanner: 'card', printer: 'copy', screen: 'zoom', results: 'clock',
};
const SOON_S = 30;

export class ServicePage {
  found = {}; // by check: { verdict: 'pass' | 'fail', said: whether the technician said it, measured: text }
  #panel = null; // { name, close }
  #done;

  constructor(api, opened, language) {
    this.api = api;
    this.language = language;
    this.visit = new Visit(api, opened, { ticked: () => this.#tick(), over: () => this.#over() });
    this.timer = make('p', { class: 't-left', role: 'timer', 'aria-live': 'off' });
    this.bar = make('header', { class: 't-bar' });
    this.body = make('div', { class: 't-body', tabindex: -1 });
    this.dialog = make('dialog', { id: 'technician', class: 't-page', 'aria-labelledby': 'technician-title' }, this.bar, this.body);
    // Escape goes back; only the button leaves. What has the focus may be gone with what it was in.
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || document.querySelectorAll('dialog[open]').length > 1) return;
      event.preventDefault();
      if (this.#panel) this.home();
    }, { signal: this.visit.signal });
    this.dialog.addEventListener('close', () => this.visit.leave()); // whatever else closes it
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.left = new Promise((resolve) => { this.#done = resolve; });
    this.speak(language);
  }

  get words() {
    return STRINGS[this.language];
  }

  speak(language) {
    this.language = language;
    const words = this.words;
    this.dialog.lang = words.code;
    const choice = (code, label) => make('button', {
      type: 'button', lang: STRINGS[code].code, 'aria-pressed': String(code === language), onclick: () => this.speak(code),
    }, label);
    this.bar.replaceChildren(make('h2', { id: 'technician-title' }, words.title), this.timer,
      make('div', { class: 'switch', role: 'group', 'aria-label': words.language }, choice('zh', '中文'), choice('en', 'English')),
      make('button', { type: 'button', id: 'technician-leave', class: 't-leave', onclick: () => this.visit.leave() }, words.leave));
    this.#tick();
    if (this.#panel) this.open(this.#panel.name);
    else this.home();
  }

  home() {
    const before = this.#panel?.name;
    this.#close();
    const card = (name) => make('button', { type: 'button', class: 't-card', 'data-panel': name, onclick: () => this.open(name) },
      icon(ICONS[name]), make('strong', {}, this.words.panels[name]), this.badge(name));
    this.body.replaceChildren(make('div', { class: 't-cards' }, ...Object.keys(PANELS).map(card)));
    this.body.scrollTop = 0;
    (this.body.querySelector(`[data-panel="${before}"]`) ?? this.body).focus();
  }

  open(name) {
    this.#close();
    const { body, close = () => {} } = PANELS[name](this);
    this.#panel = { name, close };
    const back = make('button', { type: 'button', class: 't-back', onclick: () => this.home() }, icon('back'), this.words.back);
    this.body.replaceChildren(make('div', { class: 't-panel', 'data-panel': name },
      make('div', { class: 't-head' }, back, make('h3', {}, this.words.panels[name])),
      body, CHECKS.includes(name) ? this.#verdict(name) : null));
    this.body.scrollTop = 0;
    back.focus();
  }

  // What a test has measured by itself; what the technician says goes before it.
  measured(name, verdict, text) {
    const before = this.found[name];
    this.found[name] = { ...before, verdict: before?.said ? before.verdict : verdict ?? before?.verdict, measured: text };
    this.#refresh(name);
  }

  badge(name) {
    if (!CHECKS.includes(name)) return null;
    const verdict = this.found[name]?.verdict ?? 'none';
    return make('span', { class: 't-badge', 'data-verdict': verdict }, this.words.verdicts[verdict]);
  }

  // The summary now; null when the appliance cannot be asked.
  async summary() {
    try {
      return await this.visit.request('GET', 'summary');
    } catch {
      return null;
    }
  }

  #verdict(name) {
    const button = (verdict) => make('button', {
      type: 'button', class: 't-verdict', 'data-verdict': verdict, 'aria-pressed': String(this.found[name]?.verdict === verdict),
      onclick: () => {
        this.found[name] = { ...this.found[name], verdict, said: true };
        this.#refresh(name);
      },
    }, this.words.verdicts[verdict]);
    return make('div', { class: 't-verdicts', role: 'group', 'aria-label': this.words.verdict },
      make('span', {}, this.words.verdict), button('pass'), button('fail'));
  }

  #refresh(name) {
    if (this.#panel?.name !== name) return;
    for (const button of this.body.querySelectorAll('.t-verdict')) {
      button.setAttribute('aria-pressed', String(button.dataset.verdict === this.found[name]?.verdict));
    }
  }

  #tick() {
    const { left } = this.visit;
    this.timer.textContent = this.words.leftOf(Math.floor(left / 60), String(left % 60).padStart(2, '0'));
    this.timer.classList.toggle('is-soon', left <= SOON_S);
  }

  #close() {
    const panel = this.#panel;
    this.#panel = null;
    panel?.close();
  }

  #over() {
    this.#close();
    this.dialog.close();
    this.dialog.remove();
    this.#done();
  }
}
