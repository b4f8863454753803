// The visit that the PIN has opened: its name stands in this module's memory and in the header of each request. It ends
// when the technician leaves, and by itself when nobody touches anything; the appliance has the last word on that.

import { SIGNS } from '../idle.js';

const TOUCH_MS = 10000; // at most so often the appliance is told that somebody is there

export class Visit {
  #name;
  #until;
  #signed = false;
  #told = performance.now();
  #ending = new AbortController();

  // `ticked()` is called twice a second, `over()` once, when the visit has ended.
  constructor(api, { visit, left_s: left }, { ticked, over }) {
    Object.assign(this, { api, ticked, over });
    this.#name = visit;
    this.#takes(left);
    const { signal } = this.#ending;
    for (const sign of SIGNS) {
      document.addEventListener(sign, () => { this.#signed = true; }, { capture: true, passive: true, signal });
    }
    addEventListener('pagehide', () => this.leave(), { signal });
    const tick = setInterval(() => this.#look(), 500);
    signal.addEventListener('abort', () => clearInterval(tick));
  }

  // Whole seconds until it ends by itself.
  get left() {
    return Math.max(0, Math.ceil((this.#until - performance.now()) / 1000));
  }

  // Aborted when the visit has ended.
  get signal() {
    return this.#ending.signal;
  }

  async request(method, path, body) {
    const sent = body ? { body: JSON.stringify(body), type: 'application/json' } : {};
    return this.#watched(this.api.request(method, `/v1/technician/${path}`, { ...sent, ...this.#known, patience: 25000 }));
  }

  // Calls `tell(name, data)` for each event until `signal` is aborted.
  follow(path, tell, signal) {
    const either = AbortSignal.any([signal, this.signal]);
    return this.#watched(this.api.follow(`/v1/technician/${path}`, tell, either, this.#known));
  }

  leave() {
    if (this.signal.aborted) return;
    this.api.request('DELETE', '/v1/technician/visit', { ...this.#known, keepalive: true, patience: 8000 }).catch(() => {});
    this.#end();
  }

  get #known() {
    return { headers: { 'Technician-Visit': this.#name } };
  }

  #takes(left) {
    this.#until = performance.now() + left * 1000;
  }

  async #watched(doing) {
    try {
      return await doing;
    } catch (error) {
      if (error.code === 'visit_over') this.#end();
      throw error;
    }
  }

  #look() {
    if (!this.left) {
      this.leave();
      return;
    }
    if (this.#signed && performance.now() - this.#told >= TOUCH_MS) this.#touch();
    this.ticked();
  }

  async #touch() {
    this.#signed = false;
    this.#told = performance.now();
    try {
      this.#takes((await this.request('POST', 'touch')).left_s);
    } catch {
      this.#signed = true; // out of reach, or over: what is over has been said
    }
  }

  #end() {
    if (this.signal.aborted) return;
    this.#ending.abort();
    this.over();
  }
}
