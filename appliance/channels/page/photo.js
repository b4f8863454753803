// A photo with the lines that were read drawn over it, one after the other while they are read. Boxes are pixels of
// the photo as it is displayed, after its EXIF orientation and however its page is turned; the drawing has the same
// coordinates as its view box, so it scales with the photo by itself.

import { draw, icon, make, toast } from './dom.js';

const UNSURE = 0.8;
const REACH = 28; // pixels of the screen: half a large target

export class PhotoView {
  #found = 0;

  // `url` is an object URL; `words` the strings of the language; `use(text)` puts a line into the question, `copy(text)`
  // into the clipboard, if it may. `enlarge()` and `stop()` are what its buttons do; without one there is no button.
  constructor(url, words, { use, copy, enlarge = null, stop = null, open = false }) {
    Object.assign(this, { words, use });
    this.copy = async (text) => {
      if (await copy(text)) toast(words.copied);
      else use(text); // the text still lands where it can be used
    };
    this.lines = [];
    this.shapes = [];
    this.rows = [];
    this.overlay = draw('svg', { class: 'overlay', role: 'img', 'aria-label': words.photoSent });
    this.overlay.addEventListener('click', (event) => this.#pick(event.clientX, event.clientY));
    this.list = make('ol', { class: 'lines' });
    this.detail = make('div', { class: 'chosen' });
    this.count = make('span', { class: 'count' });
    this.enlarge = enlarge
      ? make('button', { type: 'button', class: 'small enlarge', onclick: enlarge, hidden: true }, icon('zoom'), words.enlarge)
      : null;
    this.stop = stop
      ? make('button', { type: 'button', class: 'small stop', onclick: stop }, icon('close'), words.stop)
      : null;
    this.progress = make('progress', { class: 'read', 'aria-label': words.reading });
    this.text = make('details', { open, hidden: true }, make('summary', {}, words.photoRead), this.list);
    this.image = make('img', { src: url, alt: '' });
    this.image.addEventListener('load', () => {
      if (!this.overlay.hasAttribute('viewBox')) this.#size(this.image.naturalWidth, this.image.naturalHeight);
    });
    this.stage = make('div', { class: 'stage' }, this.image, this.overlay);
    // The lines are many: what is read out is the answer, and not each of them.
    this.element = make('div', { class: 'photo reading-now', 'aria-live': 'off', 'aria-busy': 'true' },
      make('div', { class: 'mat' }, this.stage),
      make('div', { class: 'photo-side' },
        make('div', { class: 'photo-bar' }, this.count, this.enlarge, this.stop), this.progress, this.detail, this.text));
    this.restart();
  }

  // From the beginning: for a second try, or because another reader begins anew.
  restart() {
    this.#found = 0;
    this.#clear();
    this.element.classList.remove('no-text');
    this.element.classList.add('reading-now');
    this.element.classList.remove('partial');
    this.element.setAttribute('aria-busy', 'true');
    if (this.stop) this.stop.hidden = false;
    this.progress.hidden = false;
    this.progress.removeAttribute('value');
    this.count.textContent = this.words.reading;
    this.#hint(this.words.readingHint);
  }

  // How many lines there are, before the first is read.
  found(count) {
    this.#found = count;
    this.#count();
  }

  // One line as it is read.
  add(line) {
    const index = this.lines.length;
    const shape = draw('polygon', {
      points: line.box.map((point) => point.join(',')).join(' '),
      class: line.confidence < UNSURE ? 'line unsure' : 'line', 'data-index': index,
    });
    const row = make('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.choose(index) }, line.text);
    this.lines.push(line);
    this.shapes.push(shape);
    this.rows.push(row);
    this.overlay.append(shape);
    this.list.append(make('li', {}, row));
    this.text.hidden = false;
    if (this.#found) this.#count();
  }

  // The whole reading: it has the last word on order and boxes.
  finish(ocr) {
    const chosen = this.lines.find((_, i) => this.rows[i].getAttribute('aria-pressed') === 'true')?.text;
    this.#size(ocr.width, ocr.height);
    this.#found = 0;
    this.#clear();
    ocr.lines.forEach((line) => this.add(line));
    this.#settle();
    const count = ocr.lines.length;
    this.count.textContent = ocr.unread ? this.words.linesOf(count, count + ocr.unread) : this.words.lines(count);
    this.overlay.setAttribute('aria-label', count ? this.words.lines(count) : this.words.noText);
    this.element.classList.toggle('no-text', !count && !ocr.unread); // the answer below says so, and what to do
    if (this.enlarge) this.enlarge.hidden = !count;
    const again = this.lines.findIndex((line) => line.text === chosen);
    if (again >= 0) this.choose(again);
    else this.#hint(count ? this.words.tapLine : '');
    return this;
  }

  // Nothing is being read any more; after a failure the photo stays for the next try.
  rest() {
    this.#settle();
    this.count.textContent = '';
    this.#hint('');
  }

  // The customer has stopped it: what was read stays. Returns that, as `finish` takes it.
  stopped() {
    const [count, unread] = [this.lines.length, Math.max(0, this.#found - this.lines.length)];
    this.#settle();
    this.#found = 0;
    this.element.classList.add('partial');
    this.count.textContent = this.words.stoppedAt(count, unread);
    if (this.enlarge) this.enlarge.hidden = !count;
    if (this.rows.every((row) => row.getAttribute('aria-pressed') === 'false')) this.#hint(count ? this.words.tapLine : '');
    const { width, height } = this.overlay.viewBox.baseVal;
    return { width, height, lines: this.lines, unread, partial: true };
  }

  choose(index) {
    const line = this.lines[index];
    this.shapes.forEach((shape, i) => shape.classList.toggle('chosen-line', i === index));
    this.rows.forEach((row, i) => row.setAttribute('aria-pressed', String(i === index)));
    this.detail.replaceChildren(
      make('p', { class: 'chosen-text', role: 'status' }, line.text),
      make('p', { class: 'sure' }, this.words.sure(Math.round(line.confidence * 100))),
      make('div', { class: 'chosen-acts' },
        make('button', { type: 'button', class: 'small primary', onclick: () => this.use(line.text) }, icon('ask'), this.words.useLine),
        make('button', { type: 'button', class: 'small', onclick: () => this.copy(line.text) }, icon('copy'), this.words.copy)),
    );
  }

  #clear() {
    this.lines = [];
    this.shapes = [];
    this.rows = [];
    this.overlay.replaceChildren();
    this.list.replaceChildren();
    this.text.hidden = true;
  }

  #settle() {
    if (this.stop) this.stop.hidden = true;
    this.progress.hidden = true;
    this.element.classList.remove('reading-now');
    this.element.removeAttribute('aria-busy');
  }

  #size(width, height) {
    this.overlay.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.overlay.style.strokeWidth = Math.max(width, height) / 360;
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.stage.style.setProperty('--ratio', width / height);
  }

  #count() {
    this.progress.max = Math.max(1, this.#found);
    this.progress.value = this.lines.length;
    this.count.textContent = this.words.linesOf(this.lines.length, this.#found);
  }

  // Lines can be smaller than a finger: the nearest one within reach is meant.
  #pick(x, y) {
    const away = this.shapes.map((shape) => {
      const box = shape.getBoundingClientRect();
      return Math.hypot(Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom));
    });
    const nearest = away.indexOf(Math.min(...away));
    if (away[nearest] <= REACH) this.choose(nearest);
  }

  #hint(text) {
    this.detail.replaceChildren(make('p', { class: 'hint' }, text));
  }
}

const LARGEST_BYTES = 10 * 1024 * 1024;
const LARGEST_SIDE = 4096;

// A photo above the appliance's limit is made smaller here instead of being refused there.
export async function fitting(file) {
  if (file.size <= LARGEST_BYTES) return file;
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
    canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.9 });
  } catch {
    return file; // what the browser cannot decode the appliance judges
  }
}
