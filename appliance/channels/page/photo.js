// A photo with the lines that were read drawn over it. Boxes are pixels of the upright image; the drawing has the same
// coordinates as its view box, so it scales with the photo by itself.

import { draw, icon, make, toast } from './dom.js';

const UNSURE = 0.8;
const REACH = 28; // pixels of the screen: half a large target

export class PhotoView {
  // `url` is an object URL; `words` the strings of the language; `use(text)` puts a line into the question.
  constructor(url, ocr, words, use, { enlarge = null, open = false } = {}) {
    this.words = words;
    this.use = use;
    this.shapes = [];
    this.rows = [];
    const count = ocr.lines.length;
    const overlay = draw('svg', {
      class: 'overlay', viewBox: `0 0 ${ocr.width} ${ocr.height}`, role: 'img', 'aria-label': words.lines(count),
    });
    const stroke = Math.max(ocr.width, ocr.height) / 360;
    const list = make('ol', { class: 'lines' });
    ocr.lines.forEach((line, index) => {
      const shape = draw('polygon', {
        points: line.box.map((point) => point.join(',')).join(' '),
        class: line.confidence < UNSURE ? 'line unsure' : 'line',
        'stroke-width': stroke, 'data-index': index,
      });
      overlay.append(shape);
      this.shapes.push(shape);
      const row = make('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.choose(index) }, line.text);
      list.append(make('li', {}, row));
      this.rows.push(row);
    });
    overlay.addEventListener('click', (event) => this.#pick(event.clientX, event.clientY));
    this.lines = ocr.lines;
    this.detail = make('div', { class: 'chosen', 'aria-live': 'polite' });
    this.#hint(count ? words.tapLine : words.noLines);
    const stage = make('div', { class: 'stage' }, make('img', { src: url, alt: words.photoSent }), overlay);
    stage.style.aspectRatio = `${ocr.width} / ${ocr.height}`;
    stage.style.setProperty('--ratio', ocr.width / ocr.height);
    const bar = make('div', { class: 'photo-bar' }, make('span', { class: 'count' }, words.lines(count)));
    if (enlarge) {
      bar.append(make('button', { type: 'button', class: 'small enlarge', onclick: enlarge }, icon('zoom'), words.enlarge));
    }
    const text = count
      ? make('details', { open }, make('summary', {}, words.photoRead), list)
      : null;
    this.element = make('div', { class: 'photo' }, make('div', { class: 'mat' }, stage), make('div', { class: 'photo-side' }, bar, this.detail, text));
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

  choose(index) {
    const line = this.lines[index];
    this.shapes.forEach((shape, i) => shape.classList.toggle('chosen-line', i === index));
    this.rows.forEach((row, i) => row.setAttribute('aria-pressed', String(i === index)));
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(line.text);
        toast(this.words.copied);
      } catch {
        this.use(line.text); // without permission for the clipboard the text still lands where it can be used
      }
    };
    this.detail.replaceChildren(
      make('p', { class: 'chosen-text' }, line.text),
      make('p', { class: 'sure' }, this.words.sure(Math.round(line.confidence * 100))),
      make('div', { class: 'chosen-acts' },
        make('button', { type: 'button', class: 'small primary', onclick: () => this.use(line.text) }, icon('ask'), this.words.useLine),
        make('button', { type: 'button', class: 'small', onclick: copy }, icon('copy'), this.words.copy)),
    );
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
