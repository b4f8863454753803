// The loudspeakers: a tone from one box or both, or a sentence, out of the kiosk's own; a tone out of the browser's.

import { make } from '../dom.js';
import { half } from '../strings.js';
import { note, rows } from './facts.js';

const TONE_S = 1;
const HZ = 660;
const LOUD = 0.4;

function own(page) {
  const { words, language } = page;
  const said = make('div', { role: 'status' });
  const buttons = ['left', 'right', 'both', 'voice'].map((sound) => make('button', {
    type: 'button', class: 't-do', 'data-sound': sound, onclick: () => play(sound),
  }, words.sounds[sound]));
  const play = async (sound) => {
    buttons.forEach((button) => { button.disabled = true; });
    said.replaceChildren(note(words.playing));
    try {
      const { played_s: seconds, speaker } = await page.visit.request('POST', 'sound', { sound, language });
      said.replaceChildren(rows([
        [words.deviceName, speaker.device || '—'],
        [words.rate, `${speaker.rate} Hz × ${speaker.channels}`],
        [words.played, `${seconds} s · ${words.volume(Math.round((speaker.volume ?? 1) * 100))}`],
        [words.losses, words.underflows(speaker.underflows ?? 0)],
      ]));
      if (speaker.channels === 1 && sound !== 'voice') said.append(note(words.mono));
      page.measured('speaker', null, words.measuredSpeaker(speaker.device));
    } catch (error) {
      said.replaceChildren(note(half(error.message || '', language) || words.unreachable, 'is-bad'),
        note(half(error.remedy || '', language)));
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  };
  return make('section', { class: 't-section' }, make('h4', {}, words.ownSpeaker),
    make('div', { class: 't-dos' }, ...buttons), said);
}

function browsers(page, signal) {
  const { words } = page;
  const play = async (side) => {
    const context = new AudioContext();
    const end = () => { if (context.state !== 'closed') context.close(); };
    signal.addEventListener('abort', end);
    const sound = new OscillatorNode(context, { frequency: HZ });
    const loud = new GainNode(context, { gain: 0 });
    const now = context.currentTime;
    loud.gain.setTargetAtTime(LOUD, now, 0.01); // without a click
    loud.gain.setTargetAtTime(0, now + TONE_S - 0.05, 0.01);
    sound.connect(loud).connect(new StereoPannerNode(context, { pan: { left: -1, right: 1 }[side] ?? 0 })).connect(context.destination);
    sound.addEventListener('ended', end);
    sound.start();
    sound.stop(now + TONE_S);
  };
  return make('section', { class: 't-section' }, make('h4', {}, words.browserSpeaker), make('div', { class: 't-dos' },
    ...['left', 'right', 'both'].map((side) => make('button', {
      type: 'button', class: 't-do', 'data-tone': side, onclick: () => play(side),
    }, words.sounds[side]))));
}

export function speaker(page) {
  const ending = new AbortController();
  return { body: make('div', {}, own(page), browsers(page, ending.signal)), close: () => ending.abort() };
}
