// The cameras: the browser's with its picture, size and rate, and what the appliance says of one of its own.

import { make } from '../dom.js';
import { half } from '../strings.js';
import { flat, note, rows } from './facts.js';

const COUNT_MS = 1000;
const HEAD = 512; // bytes in which the head of a picture stands

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

// The appliance's camera: its state, and its view for as long as this is looked at.
function own(page, signal) {
  const { words, language } = page;
  const facts = make('div', {}, note(words.asking));
  const trouble = make('div', { role: 'status' });
  const image = make('img', { class: 't-video', alt: words.ownCamera, hidden: true });
  let url = '';
  const put = (blob) => {
    if (url) URL.revokeObjectURL(url);
    url = blob ? URL.createObjectURL(blob) : '';
    image.hidden = !url;
    if (url) image.src = url;
    else image.removeAttribute('src');
  };
  signal.addEventListener('abort', () => put(null));
  const view = async (device) => {
    try {
      for await (const blob of pictures(await page.api.open('/v1/camera/view', signal))) {
        put(blob);
        trouble.replaceChildren();
        page.measured('camera', null, device || words.ownCamera);
      }
    } catch (error) {
      if (signal.aborted) return;
      put(null);
      trouble.replaceChildren(note(half(error.message || '', language) || words.unreachable, 'is-bad'),
        note(half(error.remedy || '', language)));
    }
  };
  const follow = async () => {
    let showing = null;
    while (!signal.aborted) {
      let state;
      try {
        state = await page.api.request('GET', '/v1/camera', { signal, patience: 8000 });
      } catch (error) {
        if (signal.aborted) return;
        state = error.status === 404 ? { state: 'off' } : null;
      }
      if (state?.state === 'off') {
        facts.replaceChildren(note(words.notReported));
        return;
      }
      facts.replaceChildren(state ? rows(flat(page, state)) : note(words.unreachable, 'is-bad'));
      if (state) showing ??= view(state.device).finally(() => { showing = null; }); // it ends by itself now and then
      await new Promise((resolve) => { setTimeout(resolve, COUNT_MS); });
    }
  };
  follow();
  return make('section', { class: 't-section' }, make('h4', {}, words.ownCamera), image, trouble, facts);
}

// The pictures of a multipart answer, each with its length before it.
async function* pictures(response) {
  const reader = response.body.getReader();
  let rest = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const all = new Uint8Array(rest.length + value.length);
    all.set(rest);
    all.set(value, rest.length);
    rest = all;
    for (;;) {
      const head = new TextDecoder('latin1').decode(rest.subarray(0, HEAD)).match(/content-length: *(\d+)[^]*?\r\n\r\n/i);
      const begin = head ? head.index + head[0].length : Infinity;
      const end = begin + Number(head?.[1]);
      if (!(end <= rest.length)) break;
      yield new Blob([rest.subarray(begin, end)], { type: 'image/jpeg' });
      rest = rest.slice(end);
    }
  }
}

export function camera(page) {
  const ending = new AbortController();
  return {
    body: make('div', {}, browsers(page, ending.signal), own(page, ending.signal)),
    close: () => ending.abort(),
  };
}
