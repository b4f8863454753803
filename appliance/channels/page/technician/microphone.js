// The microphones: the kiosk's own, whose level the appliance tells, and the browser's. Nothing of the sound is kept or
// leaves its side: of the kiosk's come figures, of the browser's nothing goes anywhere.

import { make } from '../dom.js';
import { half } from '../strings.js';
import { note, rows, said } from './facts.js';
import { Meter } from './meter.js';

const LOOK_MS = 100;

function own(page, signal) {
  const { words, language } = page;
  const meter = new Meter(words);
  const facts = make('div', {});
  const body = make('div', {}, note(words.asking));
  const tell = (name, state) => {
    if (name === 'error') {
      body.replaceChildren(note(half(state.remedy, language), 'is-bad'));
    } else if (name === 'level') {
      if (!meter.element.isConnected) body.replaceChildren(meter.element, facts);
      meter.show(state.level_db ?? -120, state.peak_db ?? -120);
      facts.replaceChildren(rows([
        [words.deviceName, state.device || '—'],
        [words.rate, `${state.rate} Hz × ${state.channels ?? '—'}`],
        [words.state, words.microphoneStates[state.state] ?? state.state],
        [words.losses, words.lossesOf(state.overflows ?? 0, (state.unread_s ?? 0).toFixed(1))],
        ...(state.reason ? [[words.reason, said(state.reason, language)]] : []),
      ]), note(words.speakNow));
      page.measured('microphone', meter.verdict,
        words.measuredLevel(state.device, meter.loudest.toFixed(1), meter.clips));
    }
  };
  page.visit.follow('microphone', tell, signal).catch((error) => {
    if (signal.aborted) return;
    body.replaceChildren(note(half(error.remedy || '', language) || words.unreachable));
  });
  return make('section', { class: 't-section' }, make('h4', {}, words.ownMicrophone), body);
}

function browsers(page, signal) {
  const { words } = page;
  const body = make('div', {});
  const open = async () => {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true }, video: false, // as customers have it
      });
    } catch (error) {
      body.replaceChildren(note(words.noBrowserMicrophone(error.name), 'is-bad'), button);
      return;
    }
    const [track] = stream.getAudioTracks();
    const context = new AudioContext();
    const end = () => {
      track.stop();
      context.close();
    };
    if (signal.aborted) return end();
    const analyser = new AnalyserNode(context, { fftSize: 8192 }); // longer than the time between two looks
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const meter = new Meter(words);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      let [sum, most] = [0, 0];
      for (const sample of samples) {
        sum += sample * sample;
        most = Math.max(most, Math.abs(sample));
      }
      const db = (amplitude) => (amplitude > 0 ? Math.max(-120, 20 * Math.log10(amplitude)) : -120);
      meter.show(db(Math.sqrt(sum / samples.length)), db(most));
      page.measured('microphone', meter.verdict, words.measuredLevel(track.label, meter.loudest.toFixed(1), meter.clips));
    }, LOOK_MS);
    signal.addEventListener('abort', () => {
      clearInterval(timer);
      end();
    });
    track.addEventListener('ended', () => body.append(note(words.deviceGone, 'is-bad')));
    body.replaceChildren(meter.element, rows([
      [words.deviceName, track.label || '—'],
      [words.rate, `${track.getSettings().sampleRate ?? context.sampleRate} Hz`],
    ]), note(words.speakNow));
    return undefined;
  };
  const button = make('button', { type: 'button', class: 't-do', id: 'browser-microphone', onclick: open }, words.openMicrophone);
  body.append(button);
  return make('section', { class: 't-section' }, make('h4', {}, words.browserMicrophone), body);
}

export function microphone(page) {
  const ending = new AbortController();
  return {
    body: make('div', {}, own(page, ending.signal), browsers(page, ending.signal)),
    close: () => ending.abort(),
  };
}
