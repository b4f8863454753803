// The invitation on a screen that nobody uses: what one can do here, one thing after the other, until anybody comes.
// It moves for a moment and then stands still (a kiosk has few watts), and never twice at the same place (burn-in).

import { $, icon, make } from './dom.js';
import { picture } from './chat.js';
import { SIGNS } from './idle.js';
import { STRINGS } from './strings.js';

const STEP_S = 7;
const SWIPE = 12; // pixels from which a touch is no tap any more
const PALETTES = 3; // as many as style sheet has

export class Attract {
  #after = 0;
  #last = performance.now();
  #things = [];
  #step = 0;
  #turned = 0;
  #asked = false;
  #down = null;

  // `free` tells whether nobody's words and no trouble are on the screen, `extras` further things that can be done here,
  // `begin` is told the language that was touched.
  constructor(api, { free, extras, begin }) {
    Object.assign(this, { api, free, extras, begin });
    this.dialog = $('attract');
    for (const sign of SIGNS) {
      document.addEventListener(sign, () => { this.#last = performance.now(); }, { capture: true, passive: true });
    }
    this.dialog.addEventListener('pointerdown', (event) => { this.#down = event; });
    // On click and not on pointerdown: what lies beneath must not get the rest of the tap. A swipe makes no click.
    this.dialog.addEventListener('pointerup', (event) => {
      const from = this.#down ?? event;
      if (Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) > SWIPE) this.hide();
    });
    this.dialog.addEventListener('click', (event) => {
      this.hide();
      this.begin(event.target.closest('[data-language]')?.dataset.language ?? 'zh');
    });
    // The key itself goes on: it may be the first of a scanner's burst.
    this.dialog.addEventListener('keydown', () => this.hide());
    setInterval(() => this.#look(), 500);
  }

  after(seconds) {
    this.#after = Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
  }

  hide() {
    if (this.dialog.open) this.dialog.close();
    this.dialog.replaceChildren();
    this.#things = [];
    this.#last = performance.now();
  }

  #look() {
    const now = performance.now();
    if (!this.free()) {
      this.#last = now;
      if (this.dialog.open) this.hide();
    } else if (this.dialog.open) {
      const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
      if (now - this.#turned >= STEP_S * 1000 * (still ? 2 : 1)) this.#turn();
    } else if (this.#after && now - this.#last >= this.#after * 1000) {
      this.#show();
    }
  }

  async #show() {
    if (this.#asked) return;
    this.#asked = true;
    const since = this.#last;
    try {
      const [zh, en] = await Promise.all([this.api.greeting('zh'), this.api.greeting('en')]);
      if (since !== this.#last || !this.free()) return; // somebody came while it was asked for
      document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close());
      this.#draw(zh, en);
      this.dialog.showModal();
      this.#turn();
    } catch {
      this.#last = performance.now(); // out of reach: the start page says so, and this is tried again later
    } finally {
      this.#asked = false;
    }
  }

  #draw(zh, en) {
    this.#things = [
      ...zh.suggestions.map((suggestion, i) => [picture(suggestion.intent), suggestion.label, en.suggestions[i]?.label ?? '']),
      ...this.extras().map(([name, key]) => [name, STRINGS.zh[key], STRINGS.en[key]]),
    ];
    const both = (key, tag = 'p') => [make(tag, { lang: 'zh-CN' }, STRINGS.zh[key]), make(tag, { lang: 'en' }, STRINGS.en[key])];
    this.card = make('div', { class: 'attract-card', 'aria-hidden': 'true' });
    this.stage = make('div', { class: 'attract-stage' },
      make('div', { class: 'attract-head' },
        make('img', { src: '/assets/icon.svg', alt: '', width: 96, height: 96 }),
        make('div', { id: 'attract-title' }, make('p', { lang: 'zh-CN' }, zh.title), make('p', { lang: 'en' }, en.title))),
      make('div', { class: 'attract-words' }, make('p', { lang: 'zh-CN' }, zh.welcome), make('p', { lang: 'en' }, en.welcome)),
      make('div', { class: 'attract-can' }, make('div', { class: 'attract-ask' }, ...both('attractAsk')), this.card),
      make('div', { class: 'attract-go' },
        make('button', { type: 'button', class: 'attract-start', 'data-language': 'zh' },
          make('i', { class: 'ring', 'aria-hidden': 'true' }), ...both('attractStart', 'span')),
        make('button', { type: 'button', class: 'attract-english', lang: 'en', 'data-language': 'en' }, STRINGS.en.attractHere)),
      make('div', { class: 'attract-local' }, ...both('attractLocal'),
        make('p', { class: 'watching' }, icon('camera'), ...both('attractWatching', 'span'))));
    this.dialog.replaceChildren(this.stage);
  }

  // The next thing that can be asked, a little aside of where the last one stood.
  #turn() {
    this.#turned = performance.now();
    this.#step += 1;
    const [name, zh, en] = this.#things[this.#step % this.#things.length] ?? ['ask', STRINGS.zh.hint, STRINGS.en.hint];
    this.card.replaceChildren(make('div', { class: 'attract-thing' }, icon(name),
      make('div', {}, make('p', { lang: 'zh-CN' }, zh), make('p', { lang: 'en' }, en))));
    // Two circles that never meet again soon: no pixel shows the same edge for long.
    this.stage.style.setProperty('--aside', Math.sin(this.#step * 1.3).toFixed(3));
    this.stage.style.setProperty('--below', Math.cos(this.#step * 0.7).toFixed(3));
    this.dialog.dataset.palette = String(Math.floor(this.#step / 8) % PALETTES);
  }
}
