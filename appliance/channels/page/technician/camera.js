// The cameras: the browser's with its picture, size and rate, and what the appliance says of one of its own.

import { make } from '../dom.js';
import { half } from '../strings.js';
import { flat, note, rows } from './facts.js';

const COUNT_MS = 1000;
const PICTURE_MS = 500;

function browsers(page, signal) {
  const { words } = page;
  const body = make('div', {});
  const open = async (device) => {
    let stream;
    try {
      const which = device ? { deviceId: { exact: device } } : { facingMode: 'environment' };
      stream = await navigator.mediaDevices.getUserMedia({
        video: { ...which, width: { ideal: 1920 }, height: { ideal: 1080 } }, audio: false, // as customers have it
      });
    } catch (error) {
      body.replaceChildren(note(words.noBrowserCamera(error.name), 'is-bad'), first);
      return;
    }
    const [track] = stream.getVideoTracks();
    if (signal.aborted) {
      track.stop();
      return;
    }
    const video = make('video', { class: 't-video', playsinline: true, 'aria-label': words.panels.camera });
    video.muted = true;
    video.srcObject = stream;
    let frames = 0;
    const facts = make('div', {});
    const count = () => {
      frames += 1;
      video.requestVideoFrameCallback(count);
    };
    video.requestVideoFrameCallback(count);
    let since = performance.now();
    const timer = setInterval(() => {
      const rate = (frames * 1000) / (performance.now() - since);
      [frames, since] = [0, performance.now()];
      const seen = `${video.videoWidth} × ${video.videoHeight}`;
      facts.replaceChildren(rows([
        [words.deviceName, track.label || '—'], [words.size, seen], [words.frames, words.perSecond(rate.toFixed(1))],
        [words.state, track.muted || track.readyState === 'ended' ? words.deviceGone : words.yes],
      ]));
      if (rate > 0) page.measured('camera', null, `${track.label} ${seen}`);
    }, COUNT_MS);
    const stop = () => {
      clearInterval(timer);
      track.stop();
      video.srcObject = null;
    };
    signal.addEventListener('abort', stop);
    const others = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'videoinput');
    const next = (other) => make('button', { type: 'button', class: 't-do', onclick: () => { stop(); open(other.deviceId); } }, other.label || words.panels.camera);
    body.replaceChildren(video, facts, ...(others.length > 1 ? [make('div', { class: 't-dos' }, ...others.map(next))] : []));
    await video.play().catch(() => {}); // closed before the first frame came
  };
  const first = make('button', { type: 'button', class: 't-do', id: 'browser-camera', onclick: () => open() }, words.openCamera);
  body.append(first);
  return make('section', { class: 't-section' }, make('h4', {}, words.browserCamera), body);
}

// The appliance's camera: its state, and its picture twice a second for as long as this is looked at.
function own(page, signal) {
  const { words, language } = page;
  const facts = make('div', {}, note(words.asking));
  const image = make('img', { class: 't-video', alt: words.ownCamera, hidden: true });
  let url = '';
  let timer = 0;
  const put = (next) => {
    if (url) URL.revokeObjectURL(url);
    url = next;
    image.hidden = !url;
    if (url) image.src = url;
    else image.removeAttribute('src');
  };
  const look = async () => {
    try {
      const state = await page.api.request('GET', '/v1/camera', { signal, patience: 8000 });
      facts.replaceChildren(rows(flat(state, language)));
      if (state.state !== 'off') {
        put(URL.createObjectURL(await page.api.picture('/v1/camera/picture', signal)));
        page.measured('camera', null, state.device ?? words.ownCamera);
      }
    } catch (error) {
      if (signal.aborted) return;
      put('');
      const absent = error.status === 404;
      facts.replaceChildren(absent ? note(words.notReported) : note(half(error.message || '', language) || words.unreachable, 'is-bad'));
      if (absent) return;
    }
    if (!signal.aborted) timer = setTimeout(look, PICTURE_MS);
  };
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    put('');
  });
  look();
  return make('section', { class: 't-section' }, make('h4', {}, words.ownCamera), image, facts);
}

export function camera(page) {
  const ending = new AbortController();
  return {
    body: make('div', {}, browsers(page, ending.signal), own(page, ending.signal)),
    close: () => ending.abort(),
  };
}
