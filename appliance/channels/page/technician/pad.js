// Asks for the PIN: by finger or by keyboard, over everything else. What is typed is shown as dots and goes nowhere but to
// the appliance; nobody's touch for half a minute closes it.

import { Problem } from '../api.js';
import { make } from '../dom.js';
import { half } from '../strings.js';

const QUIET_MS = 30000;
const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', 'clear', '0', 'erase'];

export class Pad {
  #pin = '';
  #shut = 0; // when PINs are looked at again, by performance.now()
  #asking = false;
  #quiet = 0;
  #tick = 0;

  constructor(api, words, language, { wait_s: wait, digits: [least, most] }) {
    Object.assign(this, { api, words, language, least, most });
    this.dots = make('p', { class: 't-dots', id: 'pad-dots', role: 'status', 'aria-label': words.padTyped(0) });
    this.said = make('p', { class: 't-said', role: 'alert' });
    this.go = this.#button('t-go', words.padGo, () => this.#try());
    this.keys = KEYS.map((key) => this.#button('t-key', words.padKeys[key] ?? key, () => this.#press(key)));
    this.dialog = make('dialog', { id: 'pad', class: 't-pad', 'aria-labelledby': 'pad-title', lang: words.code, tabindex: -1 },
      make('h2', { id: 'pad-title' }, words.padTitle), this.dots, this.said,
      make('div', { class: 't-keys' }, ...this.keys),
      make('div', { class: 't-ends' }, this.#button('', words.cancel, () => this.dialog.close()), this.go));
    this.dialog.addEventListener('keydown', (event) => this.#key(event));
    this.#wait(wait);
  }

  // The opened visit, or null when it was given up. `session()` is the customer's, which the appliance then has forgotten.
  ask(session) {
    this.mine = session;
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.dialog.focus(); // Enter is to try what was typed, and not to press a key again
    this.#touched();
    this.#tick = setInterval(() => this.#show(), 500);
    return new Promise((resolve) => {
      this.opened = null;
      this.dialog.addEventListener('close', () => {
        clearInterval(this.#tick);
        this.#pin = '';
        this.dialog.remove();
        resolve(this.opened);
      }, { once: true });
    });
  }

  #button(kind, label, press) {
    return make('button', { type: 'button', class: kind, onclick: () => { this.#touched(); press(); } }, label);
  }

  #touched() {
    this.#quiet = performance.now() + QUIET_MS;
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    this.#touched();
    const inside = event.target.closest?.('button');
    if (/^[0-9]$/.test(event.key)) {
      this.#press(event.key);
      this.dialog.focus();
    }
    if (event.key === 'Backspace') this.#press('erase');
    else if (event.key === 'Enter' && !inside) this.#try();
  }

  #press(key) {
    if (this.#asking || this.#shut) return;
    if (key === 'clear') this.#pin = '';
    else if (key === 'erase') this.#pin = this.#pin.slice(0, -1);
    else if (this.#pin.length < this.most) this.#pin += key;
    this.said.textContent = '';
    this.#show();
  }

  #wait(seconds) {
    this.#shut = seconds > 0 ? performance.now() + seconds * 1000 : 0;
    this.#show();
  }

  #show() {
    const now = performance.now();
    if (this.dialog.open && now > this.#quiet) {
      this.dialog.close();
      return;
    }
    if (this.#shut) {
      const left = Math.ceil((this.#shut - now) / 1000);
      if (left <= 0) this.#shut = 0;
      const text = left > 0 ? this.words.padWait(left) : '';
      if (this.said.textContent !== text) this.said.textContent = text;
      this.#touchedWhileShut();
    }
    const closed = this.#asking || this.#shut > 0;
    this.keys.forEach((key) => { key.disabled = closed; });
    this.go.disabled = closed || this.#pin.length < this.least;
    this.dots.textContent = '●'.repeat(this.#pin.length);
    this.dots.setAttribute('aria-label', this.words.padTyped(this.#pin.length));
  }

  // Who waits for the end of a short lock-out is not sent away; for a long one the page is the customers' again.
  #touchedWhileShut() {
    if (this.#shut - performance.now() < 2 * QUIET_MS) this.#touched();
  }

  async #try() {
    if (this.#asking || this.#shut || this.#pin.length < this.least) return;
    const pin = this.#pin;
    this.#pin = '';
    this.#asking = true;
    this.#show();
    try {
      this.session = this.mine();
      const body = JSON.stringify(this.session ? { pin, session: this.session } : { pin });
      const options = { body, type: 'application/json', patience: 15000 };
      const opened = await this.api.request('POST', '/v1/technician/visits', options);
      if (this.dialog.open) {
        this.opened = opened;
        this.dialog.close();
      } else { // closed while it was asked: nobody waits for it
        const headers = { 'Technician-Visit': opened.visit };
        this.api.request('DELETE', '/v1/technician/visit', { headers }).catch(() => {});
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#asking = false;
      this.said.textContent = half(error.message, this.language) || this.words.lost;
      if (error.code === 'pin_wrong') this.#wait(await this.#shutFor());
      else if (error.status === 429) this.#wait(error.retryAfter || 1);
    } finally {
      this.#asking = false;
      this.#show();
    }
  }

  async #shutFor() {
    this.said.textContent = this.words.padWrong;
    try {
      return (await this.api.request('GET', '/v1/technician', { patience: 8000 })).wait_s;
    } catch {
      return 0;
    }
  }
}
