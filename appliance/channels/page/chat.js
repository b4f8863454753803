// The conversation: bubbles, photos, errors and what may be tapped next.

import { $, icon, make } from './dom.js';
import { explained } from './strings.js';

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

  // A question and its answer are shown whole where there is room for both, else the answer alone, from its beginning.
  toEnd(item = this.log.lastElementChild) {
    this.log.style.paddingBottom = '';
    if (!item) return;
    const room = $('main').clientHeight;
    const question = [...this.log.querySelectorAll('.customer')].at(-1) ?? item;
    const pair = item.offsetTop + item.offsetHeight - question.offsetTop;
    const spare = room - item.offsetHeight;
    const alone = spare < 0 || (pair > room && question !== item && !question.matches('.picture'));
    // Room below the answer, so that it can begin at the top: half a question above it is no use to anybody.
    if (alone && spare > 0) this.log.style.paddingBottom = `${spare}px`;
    const smooth = !matchMedia('(prefers-reduced-motion: reduce)').matches;
    item.scrollIntoView({ block: alone ? 'start' : 'end', behavior: smooth ? 'smooth' : 'auto' });
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

  answer({ answer, ocr }) {
    const words = this.words();
    const note = answer.outcome === 'handed_over' ? make('p', { class: 'outcome' }, words.handedOver) : null;
    const again = ocr && !ocr.lines.length && !ocr.unread ? this.#again() : null; // there was nothing to read
    this.#add('kiosk', make('div', { class: 'bubble' }, make('p', {}, answer.text), note, again),
      make('p', { class: 'meta' }, words.here));
    this.chips(answer.suggestions.length ? answer.suggestions : this.greeting.suggestions);
  }

  // Another photo, as by the button below.
  #again() {
    return make('button', { type: 'button', class: 'small again', onclick: () => $('photo').click() },
      icon('camera'), this.words().photoAgain);
  }

  // What went wrong, in a customer's words; its code is small, for staff. What may go well the next time is asked by
  // `retry()`, and a photo that is of no use is taken anew.
  problem({ code, asked, canRetry }, retry) {
    const words = this.words();
    const [title, remedy] = explained(words, code, asked);
    const button = canRetry
      ? make('button', { type: 'button', class: 'small', onclick: () => { item.remove(); retry(); } }, icon('restart'), words.retry)
      : asked === 'photo' && this.#again();
    const item = this.#add('kiosk', make('div', { class: 'bubble error', role: 'alert' },
      make('p', { class: 'error-title' }, icon('alert'), make('span', {}, title)),
      make('p', {}, remedy), button || null, make('p', { class: 'code', lang: 'en' }, code)));
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
    this.chips(greeting.suggestions); // on the start page only while the keyboard leaves no room for tiles
  }

  wipe() {
    this.log.replaceChildren();
    this.log.hidden = true;
    $('hero').hidden = false;
    this.chips(this.greeting.suggestions);
    $('main').scrollTop = 0;
  }
}
