// The speech dialog: a notice, then a recording of 16 kHz mono, sent as a WAV file.

import { $ } from './dom.js';

const RATE = 16000;
const LONGEST_S = 30;

export function wav(blocks, rate = RATE) {
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
      view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 32767, true);
      at += 2;
    }
  }
  return new Blob([view], { type: 'audio/wav' });
}

export class Microphone {
  #stream = null;
  #context = null;
  #blocks = [];
  #timer = 0;

  constructor(words, recorded) {
    this.words = words;
    this.recorded = recorded;
    this.dialog = $('microphone');
    $('longest').textContent = String(LONGEST_S);
    $('microphone-go').addEventListener('click', () => (this.#context ? this.#finish() : this.#start()));
    this.dialog.addEventListener('close', () => this.#stop());
  }

  show() {
    $('microphone-problem').hidden = true;
    $('microphone-live').hidden = true;
    $('microphone-note').hidden = false;
    $('microphone-label').textContent = this.words().speakStart;
    this.dialog.showModal();
  }

  async #start() {
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true }, video: false,
      });
      const context = new AudioContext({ sampleRate: RATE });
      await context.audioWorklet.addModule('/assets/recorder-worklet.js');
      const node = new AudioWorkletNode(context, 'recorder', { numberOfOutputs: 0 });
      node.port.onmessage = ({ data }) => this.#take(data);
      context.createMediaStreamSource(this.#stream).connect(node);
      await context.resume();
      this.#context = context;
    } catch {
      this.#stop();
      $('microphone-problem').textContent = this.words().speakNone;
      $('microphone-problem').hidden = false;
      return;
    }
    if (!this.dialog.open) {
      this.#stop();
      return;
    }
    this.#blocks = [];
    $('microphone-note').hidden = true;
    $('microphone-live').hidden = false;
    $('microphone-label').textContent = this.words().speakStop;
    const began = Date.now();
    this.#timer = setInterval(() => {
      const seconds = Math.floor((Date.now() - began) / 1000);
      $('seconds').textContent = String(seconds);
      if (seconds >= LONGEST_S) this.#finish();
    }, 200);
  }

  #take(block) {
    this.#blocks.push(block);
    const loudest = block.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    $('level').style.transform = `scaleX(${Math.min(1, loudest * 1.6)})`;
  }

  #finish() {
    const blocks = this.#blocks;
    this.dialog.close();
    if (blocks.length) this.recorded(wav(blocks));
  }

  #stop() {
    clearInterval(this.#timer);
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#context?.close();
    this.#stream = null;
    this.#context = null;
    this.#blocks = [];
    $('seconds').textContent = '0';
  }
}
