// The microphones: the kiosk's own, whose level the appliance tells, and the browser's. Nothing of the sound is kept or
// leaves its side: of the kiosk's come figures, of the browser's nothing goes anywhere.

import { make } from '../dom.js';
import { half } from '../strings.js';
import { note, rows, said } from './facts.js';
import { Meter } from './meter.js';

const LOOK_MS = 100;
const AGAIN_MS = 2000;

// `seen.own` becomes true with the first level: where the kiosk has a microphone in use, that one is judged.
function own(page, signal, seen) {
  const { words, language } = page;
  const meter = new Meter(words);
  const facts = make('div', {});
  const body = make('div', {}, note(words.asking));
  const tell = (name, state) => {
    if (name === 'level') {
      seen.own = true;
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
  // A stream that has ended leaves no level standing that is none any more; and a visit that is over is noticed.
  const follow = async () => {
    while (!signal.aborted && !page.visit.signal.aborted) {
      let ended = words.unreachable;
      try {
        await page.visit.follow('microphone', (name, state) => {
          if (name === 'error') ended = half(state.remedy || '', language) || ended;
          tell(name, state);
        }, signal);
      } catch (error) {
        ended = half(error.remedy || '', language) || ended;
      }
      if (signal.aborted) return;
      body.replaceChildren(note(ended));
      await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
    }
  };
  follow();
  return make('section', { class: 't-section' }, make('h4', {}, words.ownMicrophone), body);
}

function browsers(page, signal, seen) {
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
      if (seen.own) return;
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
  const seen = { own: false };
  return {
    body: make('div', {}, own(page, ending.signal, seen), browsers(page, ending.signal, seen)),
    close: () => ending.abort(),
  };
}
