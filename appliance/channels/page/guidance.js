// Looks at what the camera sees, on this page and four times a second, and says how the photo would get better. Frames
// are never kept and go nowhere; nobody is kept from taking the photo anyway.

const EVERY_MS = 250;
const SAME = 3; // times in a row that something must be seen before it is said: hints that flicker help nobody
const SMALL = 160; // pixels across of the whole view, for light and motion
const CROP = 320; // pixels across of the middle at full resolution, for sharpness, which a smaller picture hides

const DARK = 55; // mean brightness below which it is too dark, of 255
const BRIGHT = 236; // and above which the paper is washed out
const BURNT = 250; // a pixel from here on holds nothing any more
const GLARE = [0.04, 0.35]; // share of burnt pixels that is a reflection: less is a speck, more is white paper
const SURROUNDED = 190; // and brightness of the rest below which it is one
const MOVING = 9; // mean difference of brightness between two looks
const PLAIN = 12; // spread of brightness in the middle below which there is nothing to read there
const BLURRED = 0.62; // see `blur`: labelled pages lie below 0.47, letters as large as the view at 0.6

// Brightness of RGBA pixels, 0 to 255 (ITU-R BT.601).
export function grey(rgba) {
  const out = new Float32Array(rgba.length / 4);
  for (let i = 0, j = 0; i < out.length; i += 1, j += 4) out[i] = 0.299 * rgba[j] + 0.587 * rgba[j + 1] + 0.114 * rgba[j + 2];
  return out;
}

const mean = (values) => values.reduce((sum, v) => sum + v, 0) / Math.max(1, values.length);

export function light(values) {
  const rest = values.filter((v) => v < BURNT);
  return { mean: mean(values), burnt: 1 - rest.length / values.length, rest: mean(rest) };
}

export function difference(a, b) {
  if (a.length !== b.length) return 0;
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

export function spread(values) {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - middle) ** 2)));
}

// How blurred a picture is without one to compare it with, 0 sharp to 1: what a low-pass filter takes from neighbouring
// differences is much in a sharp picture and little in a blurred one (Crete et al., SPIE 6492, 2007).
export function blur(values, width, height) {
  const along = (count, length, step, jump) => {
    let all = 0;
    let lost = 0;
    for (let line = 0; line < count; line += 1) {
      const start = line * jump;
      let sum = 0;
      for (let i = 0; i < 9; i += 1) sum += values[start + i * step];
      for (let i = 5; i < length - 5; i += 1) {
        const next = sum + values[start + (i + 4) * step] - values[start + (i - 5) * step];
        const own = Math.abs(values[start + i * step] - values[start + (i - 1) * step]);
        all += own;
        lost += Math.max(0, own - Math.abs(next - sum) / 9);
        sum = next;
      }
    }
    return all ? (all - lost) / all : 1;
  };
  return Math.max(along(height, width, 1, width), along(width, height, width, 1));
}

// The one thing that matters most now: `dark`, `bright`, `glare`, `moving`, `plain`, `blurred` or `good`.
export function judge({ view, before, middle, width, height }) {
  const { mean: bright, burnt, rest } = light(view);
  if (bright < DARK) return 'dark';
  if (burnt >= GLARE[0] && burnt <= GLARE[1] && rest < SURROUNDED) return 'glare';
  if (before && difference(view, before) > MOVING) return 'moving';
  if (spread(middle) < PLAIN) return bright > BRIGHT ? 'bright' : 'plain';
  if (blur(middle, width, height) > BLURRED) return 'blurred';
  return 'good';
}

export class Guidance {
  #timer = 0;
  #before = null;
  #seen = '';
  #times = 0;
  #said = '';

  // `say(hint)` is called when the hint changes.
  constructor(video, say) {
    Object.assign(this, { video, say });
  }

  start() {
    this.stop();
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#before = null;
    this.#seen = this.#said = '';
    this.#times = 0;
  }

  #look() {
    const { videoWidth: wide, videoHeight: high } = this.video;
    if (!wide) return;
    const view = this.#pixels(0, 0, wide, high, SMALL, Math.max(1, Math.round((SMALL * high) / wide)));
    const width = Math.min(CROP, wide);
    const height = Math.min(Math.round(CROP * 0.75), high);
    const middle = this.#pixels((wide - width) / 2, (high - height) / 2, width, height, width, height);
    const hint = judge({ view, before: this.#before, middle, width, height });
    this.#before = view;
    this.#times = hint === this.#seen ? this.#times + 1 : 1;
    this.#seen = hint;
    if (this.#times < SAME || hint === this.#said) return;
    this.#said = hint;
    this.say(hint);
  }

  #pixels(x, y, wide, high, width, height) {
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    context.drawImage(this.video, x, y, wide, high, 0, 0, width, height);
    return grey(context.getImageData(0, 0, width, height).data);
  }
}
