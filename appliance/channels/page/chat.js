// The conversation: bubbles, photos, errors and what may be tapped next.

import { $, icon, make } from './dom.js';
import { half } from './strings.js';

// A picture for the intents that kiosks have most; any other gets a speech bubble.
const ICONS = {
  facility_location: 'place', find_product: 'find', check_stock: 'find', track_parcel: 'parcel', send_parcel: 'parcel',
  pick_up_parcel: 'parcel', shipping_fee: 'price', check_price: 'price', promotion: 'price', return_exchange: 'back',
  refund_status: 'back', store_hours: 'clock', queue_ticket: 'clock', human_agent: 'person', member_points: 'card',
  invoice: 'card', payment_issue: 'card',
};

export const picture = (intent) => ICONS[intent] ?? 'ask';

export class Chat {
  constructor(words, language, tapped) {
    this.words = words;
    this.language = language;
    this.tapped = tapped; // (suggestion) => void
    this.log = $('log');
    this.greeting = { suggestions: [] };
  }

  get empty() {
    return this.log.childElementCount === 0;
  }

  #add(kind, ...content) {
    const who = make('span', { class: 'unseen' }, kind.startsWith('customer') ? this.words().you : this.words().kiosk);
    const item = make('div', { class: `entry ${kind}`, lang: this.language() === 'en' ? 'en' : 'zh-CN' }, who, ...content);
    this.log.append(item);
    $('hero').hidden = true;
    this.log.hidden = false;
    this.toEnd(item);
    return item;
  }

  toEnd(item = this.log.lastElementChild) {
    const smooth = !matchMedia('(prefers-reduced-motion: reduce)').matches;
    item?.scrollIntoView({ block: item.offsetHeight > $('main').clientHeight ? 'start' : 'end', behavior: smooth ? 'smooth' : 'auto' });
  }

  customer(text) {
    return this.#add('customer', make('p', { class: 'bubble' }, text));
  }

  // Returns how to take the photo away again.
  photo(element) {
    const item = this.#add('customer picture', element);
    return () => {
      item.remove();
      if (this.empty) this.wipe();
    };
  }

  // Three dots and what is being done; returns how to take them away.
  busy(text) {
    const dots = make('span', { class: 'dots', 'aria-hidden': 'true' }, make('i'), make('i'), make('i'));
    const item = this.#add('kiosk waiting', make('p', { class: 'bubble' }, dots, make('span', {}, text)));
    document.body.setAttribute('aria-busy', 'true');
    return () => {
      item.remove();
      document.body.removeAttribute('aria-busy');
    };
  }

  answer(reply) {
    const { answer, timings_ms: timings } = reply;
    const words = this.words();
    const total = timings.total ?? 0;
    const rounded = total < 10 ? Math.max(0.1, Math.round(total * 10) / 10) : Math.round(total);
    const note = answer.outcome === 'handed_over' ? make('p', { class: 'outcome' }, words.handedOver) : null;
    this.#add('kiosk', make('div', { class: 'bubble' }, make('p', {}, answer.text), note),
      make('p', { class: 'meta' }, words.took(rounded)));
    this.chips(answer.suggestions.length ? answer.suggestions : this.greeting.suggestions);
  }

  problem(problem, retry) {
    const words = this.words();
    const language = this.language();
    const own = { lost: [words.lost, words.lostRemedy], slow: [words.slow, words.lostRemedy] }[problem.code];
    const title = own ? own[0] : half(problem.message, language);
    const remedy = own ? own[1] : half(problem.remedy, language);
    const item = this.#add('kiosk', make('div', { class: 'bubble error', role: 'alert' },
      make('p', { class: 'error-title' }, icon('alert'), make('span', {}, title)),
      make('p', {}, remedy),
      retry && problem.canRetry
        ? make('button', { type: 'button', class: 'small', onclick: () => { item.remove(); retry(); } }, icon('restart'), words.retry)
        : null));
  }

  chips(suggestions) {
    $('chips').replaceChildren(...suggestions.map((s) => make('li', {},
      make('button', { type: 'button', class: 'chip', onclick: () => this.tapped(s) }, s.label))));
    $('chips').scrollLeft = 0;
    this.toEnd(); // the chips take room from the conversation
  }

  // Something to tap where nothing is offered.
  offer() {
    if (!$('chips').childElementCount) this.chips(this.greeting.suggestions);
  }

  welcome(greeting) {
    this.greeting = greeting;
    $('title').textContent = greeting.title;
    document.title = greeting.title;
    $('welcome').textContent = greeting.welcome;
    // Rows without gaps where the number of questions allows it.
    const count = greeting.suggestions.length;
    $('tiles').style.setProperty('--columns', count % 4 === 0 || count > 6 ? 4 : Math.min(3, count));
    $('tiles').replaceChildren(...greeting.suggestions.map((s) => make('li', {},
      make('button', { type: 'button', class: 'tile', onclick: () => this.tapped(s) },
        icon(picture(s.intent)), make('span', {}, s.label), icon('arrow')))));
    if (!this.empty) this.chips(greeting.suggestions);
  }

  wipe() {
    this.log.replaceChildren();
    this.log.hidden = true;
    $('chips').replaceChildren();
    $('hero').hidden = false;
    $('main').scrollTop = 0;
  }
}
