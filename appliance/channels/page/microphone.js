// The speech dialog: a notice, then the words as they are spoken; or why nothing is heard.
//
// The sound goes to the appliance while it is spoken. Where that has no place for it, or the line breaks, the whole
// recording goes there at the end, in mono, as a WAV file of 16 bits.

import { $ } from './dom.js';
import { Live } from './live.js';
import { statements } from './strings.js';

const RATE = 16000; // what recognisers listen at
const LONGEST_S = 30;
const TAIL_MS = 250; // the last word is still on its way from the microphone when a finger says that it is over

export function wav(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + count * 2));
  const word = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, 'RIFF');
  view.setUint32(4, 36 + count * 2, true);
  word(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, 'data');
  view.setUint32(40, count * 2, true);
  let at = 44;
  for (const block of blocks) {
    for (const sample of block) {
      view.setInt16(at, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
      at += 2;
    }
  }
  return new Blob([view], { type: 'audio/wav' });
}

// The part of the state's reason that tells of one language, and the command in it that staff can run.
export function explained(feature, language) {
  const parts = statements(feature?.reason ?? '', language);
  const mine = parts.find((part) => part.startsWith(`${language}: `))?.slice(4) ?? parts.join('\n');
  return { reason: mine, command: mine.match(/`(appliance models pull [^`]+)`/)?.[1] ?? 'appliance check' };
}

export class Microphone {
  #stream = null;
  #context = null;
  #blocks = [];
  #timer = 0;
  #ending = 0;
  #live = null;

  // `recorded({ answer(session, language) })` is called when somebody has spoken.
  constructor(api, words, language, recorded) {
    Object.assign(this, { api, words, language, recorded });
    this.dialog = $('microphone');
    $('longest').textContent = String(LONGEST_S);
    $('microphone-go').addEventListener('click', () => (this.#context ? this.#finish() : this.#start()));
    this.dialog.addEventListener('close', () => this.#stop());
  }

  show() {
    this.#face({ note: true, go: true });
    $('microphone-label').textContent = this.words().speakStart;
    this.dialog.showModal();
  }

  // Says that speech is off, what to do instead, and what staff can run: before anybody has spoken in vain.
  explain(feature, language) {
    const { reason, command } = explained(feature, language);
    this.#face({ problem: this.words().speakOff, off: true });
    $('microphone-command').textContent = command;
    $('microphone-reason').textContent = reason;
    this.dialog.showModal();
  }

  #face({ note = false, problem = '', live = false, off = false, go = false }) {
    $('microphone-note').hidden = !note;
    $('microphone-problem').textContent = problem;
    $('microphone-problem').hidden = !problem;
    $('microphone-live').hidden = !live;
    $('microphone-off').hidden = !off;
    $('microphone-go').hidden = !go;
    $('microphone-go').disabled = false;
  }

  async #start() {
    $('microphone-go').disabled = true; // two taps must not open two microphones
    let context = null;
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true }, video: false,
      });
      const source = await listen(this.#stream);
      context = source.context;
      await context.audioWorklet.addModule('/assets/recorder-worklet.js');
      const node = new AudioWorkletNode(context, 'recorder', {
        numberOfOutputs: 0, channelCount: 1, channelCountMode: 'explicit',
      });
      node.port.onmessage = ({ data }) => this.#take(data);
      source.connect(node);
      await context.resume();
      this.#context = context;
    } catch {
      context?.close();
      this.#stop();
      this.#face({ note: true, problem: this.words().speakNone, go: true });
      return;
    }
    if (!this.dialog.open) {
      this.#stop();
      return;
    }
    this.#blocks = [];
    this.#begin(this.#context);
    this.#face({ live: true, go: true });
    $('microphone-label').textContent = this.words().speakStop;
    const began = Date.now();
    this.#timer = setInterval(() => {
      const seconds = Math.floor((Date.now() - began) / 1000);
      $('seconds').textContent = String(seconds);
      if (seconds >= LONGEST_S) this.#finish();
    }, 200);
  }

  async #begin(context) {
    let live = null;
    try {
      live = await Live.open(this.api, this.language(), context.sampleRate, (event) => this.#told(event));
    } catch {
      return; // the recording will meet the same problem, and say so
    }
    if (this.#context !== context) {
      live?.close();
      return;
    }
    this.#live = live;
    if (live) this.#blocks.forEach((block) => live.push(block));
  }

  #told(event) {
    const text = event.type === 'partial' ? event.text : event.transcript.text;
    if (text) $('microphone-words').textContent = text;
    if (text && event.type === 'heard') this.#finish(); // a sentence, and silence behind it
  }

  #take(block) {
    this.#blocks.push(block);
    this.#live?.push(block);
    const loudest = block.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    $('level').style.transform = `scaleX(${Math.min(1, loudest * 1.6)})`;
  }

  #finish() {
    if (this.#ending) return;
    clearInterval(this.#timer);
    $('microphone-go').disabled = true;
    this.#ending = setTimeout(() => {
      if (!this.dialog.open) return; // wiped meanwhile
      const [blocks, live, rate] = [this.#blocks, this.#live, this.#context.sampleRate];
      this.#live = null;
      this.dialog.close();
      if (blocks.length) this.recorded({ answer: (session, language) => this.#answer(live, blocks, rate, session, language) });
    }, TAIL_MS);
  }

  async #answer(live, blocks, rate, session, language) {
    await live?.end();
    if (live && !live.failed) return live.answer(session, language);
    live?.close();
    return this.api.hear(wav(blocks, rate), session, language);
  }

  #stop() {
    this.#live?.close();
    this.#live = null;
    $('microphone-words').textContent = '';
    clearInterval(this.#timer);
    clearTimeout(this.#ending);
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#context?.close();
    this.#stream = null;
    this.#context = null;
    this.#blocks = [];
    this.#ending = 0;
    $('seconds').textContent = '0';
  }
}

// The stream at the recogniser's rate; where the browser does not resample a microphone (Firefox), at its own.
async function listen(stream) {
  const context = new AudioContext({ sampleRate: RATE });
  try {
    return context.createMediaStreamSource(stream);
  } catch (error) {
    await context.close();
    if (error.name !== 'NotSupportedError') throw error;
  }
  return new AudioContext().createMediaStreamSource(stream);
}
