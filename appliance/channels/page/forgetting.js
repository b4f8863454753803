// Sessions that the process is to forget. Nobody is told that it has before it has: while it cannot be asked it is asked
// again, until it has forgotten by itself, as it does with every session that nobody uses.

import { Problem } from './api.js';

const FIRST_S = 1;
const LONGEST_S = 30;

export class Forgetting {
  #owed = new Set();
  #itself = 120; // seconds after which the process forgets by itself

  constructor(api) {
    this.api = api;
  }

  // What the appliance's greeting says.
  itself(seconds) {
    if (Number.isFinite(seconds) && seconds > 0) this.#itself = seconds;
  }

  // Minutes after which nothing of anybody is left, whatever fails.
  get minutes() {
    return Math.max(1, Math.ceil(this.#itself / 60));
  }

  // True when the process has forgotten this session; when it could not be asked it is asked again, and this is false.
  async now(session) {
    this.#owed.add(session);
    const done = await this.#ask(session);
    if (!done) this.#later(session);
    return done;
  }

  // The page is closed: the last word about each session outlives it.
  last(session) {
    if (session) this.#owed.add(session);
    for (const owed of this.#owed) this.api.forget(owed, { keepalive: true }).catch(() => {}); // nobody is left to be told
  }

  async #ask(session) {
    try {
      await this.api.forget(session);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status !== 404) return false; // 404: it has forgotten already
    }
    this.#owed.delete(session);
    return true;
  }

  async #later(session) {
    const end = performance.now() + this.#itself * 1000;
    for (let pause = FIRST_S; performance.now() < end; pause = Math.min(2 * pause, LONGEST_S)) {
      await new Promise((resolve) => { setTimeout(resolve, pause * 1000); });
      if (await this.#ask(session)) return;
    }
    this.#owed.delete(session);
  }
}
