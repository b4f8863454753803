// The technician's way in: a corner of the screen where nothing is to be pressed, held for three seconds (or Ctrl+Alt+S on
// a keyboard that was plugged in, as the screen may not feel anything). Where there is a PIN it is asked for; where there is
// none, nothing happens. Whatever lies behind is loaded only then.

import { Problem } from './api.js';

const HOLD_MS = 3000;
const REACH = 96; // pixels from the upper left corner: only the sign of the shop stands there
const SLIP = 24; // a finger that rests is not quite still

export class Corner {
  #pressing = null; // { id, x, y, timer }
  #busy = false;
  #inside = false;

  // `customer` has language(), session(), emptied(session), which wipes all that a customer has left on the page (the
  // appliance has forgotten that session already), and left(), which wipes what was said meanwhile.
  constructor(api, customer) {
    Object.assign(this, { api, customer });
    const listen = (name, take, passive = true) => document.addEventListener(name, take, { capture: true, passive });
    listen('pointerdown', (event) => this.#down(event));
    listen('pointermove', (event) => {
      const from = this.#pressing;
      if (from?.id === event.pointerId && Math.hypot(event.clientX - from.x, event.clientY - from.y) > SLIP) this.#let();
    });
    for (const name of ['pointerup', 'pointercancel']) listen(name, () => this.#let());
    // What a browser offers for a long press would take the finger away.
    listen('contextmenu', (event) => { if (this.#pressing) event.preventDefault(); }, false);
    listen('keydown', (event) => {
      if (event.ctrlKey && event.altKey && event.code === 'KeyS' && !event.repeat) this.#enter();
    });
  }

  // True while something of the technician's is on the screen.
  get busy() {
    return this.#busy;
  }

  // True while that is the service page, and the customer's page lies empty beneath.
  get inside() {
    return this.#inside;
  }

  #down(event) {
    const alone = !this.#pressing; // a second finger is no press
    this.#let();
    if (!alone || event.button !== 0 || event.clientX > REACH || event.clientY > REACH) return;
    const timer = setTimeout(() => {
      this.#let();
      this.#enter();
    }, HOLD_MS);
    this.#pressing = { id: event.pointerId, x: event.clientX, y: event.clientY, timer };
  }

  #let() {
    clearTimeout(this.#pressing?.timer);
    this.#pressing = null;
  }

  async #enter() {
    if (this.#busy || document.querySelector('#token[open]')) return;
    this.#busy = true;
    try {
      const offered = await this.api.request('GET', '/v1/technician', { patience: 8000 });
      const { enter } = await import('./technician/enter.js');
      const emptied = (forgotten) => {
        this.#inside = true;
        this.customer.emptied(forgotten);
      };
      await enter(this.api, { ...this.customer, emptied }, offered);
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // no PIN is set, or this is another machine's screen
    } finally {
      if (this.#inside) this.customer.left();
      this.#busy = false;
      this.#inside = false;
    }
  }
}
