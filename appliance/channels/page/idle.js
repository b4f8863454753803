// A shared screen keeps nobody's words: after a while without touch, key or answer it is wiped. Towards the end of that
// while it asks and counts down.

import { $ } from './dom.js';

const QUIET_S = 60; // unless the appliance's greeting says otherwise
const COUNTDOWN_S = 15; // and never more than a third of all
export const SIGNS = ['pointerdown', 'pointerup', 'keydown', 'input', 'wheel', 'touchmove'];

export class Idle {
  #quiet = QUIET_S;
  #last = performance.now();

  // `held` tells whether there is anything to wipe, `waiting` whether the customer waits for the machine.
  constructor(words, { held, waiting, over }) {
    Object.assign(this, { words, held, waiting, over });
    this.dialog = $('idle');
    for (const sign of SIGNS) {
      document.addEventListener(sign, () => this.touched(), { capture: true, passive: true });
    }
    // Not on pointerdown: what lies under the dialog must not get the rest of the tap.
    this.dialog.addEventListener('click', () => this.dialog.close());
    this.dialog.addEventListener('keydown', (event) => {
      if (event.key === 'Tab') return;
      event.preventDefault();
      this.dialog.close();
    });
    setInterval(() => this.#look(), 500);
  }

  after(seconds) {
    this.#quiet = Number.isFinite(seconds) && seconds > 0 ? seconds : QUIET_S;
  }

  get #countdown() {
    return Math.min(COUNTDOWN_S, this.#quiet / 3);
  }

  touched() {
    this.#last = performance.now();
  }

  #look() {
    if (!this.held() || this.waiting()) this.touched();
    const left = this.#quiet - (performance.now() - this.#last) / 1000;
    if (left <= 0) {
      this.touched();
      this.over();
    } else if (left > this.#countdown) {
      if (this.dialog.open) this.dialog.close();
    } else {
      $('idle-left').textContent = String(Math.ceil(left));
      if (this.dialog.open) return;
      this.dialog.showModal();
      $('idle-text').textContent = this.words().idleText; // set while it is shown, so that it is read out
      $('idle-go').focus();
    }
  }
}
