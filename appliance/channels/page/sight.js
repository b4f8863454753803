// The appliance's own camera: a sign while it watches, and what it read and answered for whoever stands here.

import { Problem } from './api.js';
import { $ } from './dom.js';

const OPEN = ['opening', 'watching', 'covered'];
const LATE_MS = 500; // what was told before the appliance knew that the customer had left

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Sight {
  #on = false;
  #running = false;
  #refused = false;
  #leaving = 0;
  #seen = { state: 'off', phase: 'empty', light: '' };

  // `replied(reply)` gets what was shown and answered, `failed(problem)` what went wrong; `joined()` is called whenever
  // the appliance is heard anew: it may have been started again, and knows nobody then.
  constructor(api, words, { replied, failed, joined }) {
    Object.assign(this, { api, words, replied, failed, joined });
  }

  // Whether it can be asked for a look.
  get on() {
    return this.#on;
  }

  changed({ camera = null }) {
    if (this.#refused) return; // a screen elsewhere has a camera of its own
    this.#on = camera?.state === 'ready' || camera?.state === 'fallback';
    if (camera && camera.state !== 'off' && !this.#running) this.#run();
  }

  look(session, language) {
    return this.api.camera('look', session ? { session, language } : { language });
  }

  // Whose is what is shown from now on; without a session whoever stood here has left.
  async attend(session, language) {
    if (!this.#running) return;
    if (!session) this.#leaving += 1;
    try {
      await this.api.camera('attend', session ? { session, language } : { language });
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // it forgets by itself, as it does with every session
    }
    if (session) return;
    await wait(LATE_MS);
    this.#leaving -= 1;
  }

  async #run() {
    this.#running = true;
    for (let pause = 1000; ; pause = Math.min(pause * 2, 10000)) {
      let first = true;
      try {
        await this.api.cameraEvents((name, data) => {
          pause = 1000;
          if (first) this.joined();
          first = false;
          this.#told(name, data);
        });
      } catch (error) {
        if (error.status === 404) {
          this.#refused = true;
          this.#on = false;
          break;
        }
      }
      this.#show({ state: 'off', phase: 'empty', light: '' });
      await wait(pause);
    }
    this.#running = false;
  }

  #told(name, data) {
    if (name === 'state') this.#show(data);
    if (name === 'reply' && this.#leaving) this.api.forget(data.session).catch(() => {});
    else if (name === 'reply') this.replied(data);
    if (name === 'error' && !this.#leaving) this.failed(data);
  }

  translate() {
    this.#show(this.#seen);
  }

  // Whoever stands before a camera that is on has to know: the sign stands on the invitation, too.
  #show(seen) {
    this.#seen = seen;
    document.body.toggleAttribute('data-watching', OPEN.includes(seen.state));
    const words = this.words();
    let text = words.watching;
    if (seen.phase === 'reading') text = words.reading;
    else if (['moving', 'holding'].includes(seen.phase)) text = words.hints[seen.light === 'dark' ? 'dark' : 'moving'];
    if ($('sight-text').textContent !== text) $('sight-text').textContent = text;
  }
}
