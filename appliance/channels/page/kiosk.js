// The kiosk's own microphone and loudspeaker: what the appliance hears and says, shown while it happens.

import { $ } from './dom.js';

const serves = (feature) => feature?.state === 'ready' || feature?.state === 'fallback';
const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Kiosk {
  #on = false;
  #running = false;
  #refused = false;
  #left = false;
  phase = 'idle';
  #open = false; // speaking breaks off the kiosk's words

  // `replied(reply)` gets what was heard and answered, `failed(problem)` what went wrong.
  constructor(api, words, { replied, failed }) {
    Object.assign(this, { api, words, replied, failed });
    $('voice-stop').addEventListener('click', () => this.stop());
  }

  get on() {
    return this.#on;
  }

  changed({ microphone = null }) {
    if (this.#refused) return; // a screen elsewhere has a microphone of its own
    this.#on = serves(microphone);
    if (microphone && microphone.state !== 'off' && !this.#running) this.#run();
  }

  listen(session, language) {
    return this.api.voice('listen', session ? { session, language } : { language });
  }

  // Listening: the sentence is over. Speaking: enough of it.
  stop() {
    return this.api.voice('finish').catch(() => {});
  }

  // Whoever stood here has gone: what was being said is dropped, and what is still on its way concerns nobody here.
  wipe() {
    this.#words('');
    this.#left = this.phase !== 'idle';
    if (this.#running) this.api.voice('cancel').catch(() => {});
  }

  translate() {
    this.#show(this.phase);
  }

  async #run() {
    this.#running = true;
    for (let pause = 1000; ; pause = Math.min(pause * 2, 10000)) {
      try {
        await this.api.voiceEvents((name, data) => {
          pause = 1000;
          this.#told(name, data);
        });
      } catch (error) {
        if (error.status === 404) {
          this.#refused = true;
          this.#on = false;
          break;
        }
      }
      this.#show('idle');
      await wait(pause);
    }
    this.#running = false;
  }

  #told(name, data) {
    if (name === 'state' && data.phase === 'idle') this.#left = false;
    if (this.#left) {
      if (name === 'reply') this.api.forget(data.session).catch(() => {});
      if (name !== 'state') return;
    }
    if (name === 'state') {
      this.#open = data.barge_in;
      this.#show(data.phase);
    }
    if (name === 'level') $('voice').style.setProperty('--level', Math.min(1, data.peak * 1.6));
    if (name === 'partial') this.#words(data.text);
    if (name === 'reply') this.replied(data);
    if (name === 'silence') this.#words('');
    if (name === 'error') this.failed(data);
  }

  #show(phase) {
    if (phase === 'listening' && this.phase !== 'listening') this.#words('');
    this.phase = phase;
    $('voice').hidden = phase === 'idle';
    $('voice').dataset.phase = phase;
    const words = this.words();
    const speaking = this.#open ? words.speakingOpen : words.speakingClosed;
    $('voice-phase').textContent = { listening: words.listening, thinking: words.thinking, speaking }[phase] ?? '';
    $('voice-stop').textContent = phase === 'listening' ? words.speakStop : words.voiceStop;
    $('voice-stop').hidden = phase === 'thinking';
    if (phase === 'idle') this.#words('');
  }

  #words(text) {
    $('voice-words').textContent = text;
  }
}
