// A barcode scanner on USB types like a keyboard, only faster than anybody: a burst of keys, ended by Enter, by Tab or by
// silence, is one scan wherever the focus is. What it wrote into a field is taken out again.

const GAP_MS = 50; // scanners leave 1 to 30 ms between keys; of a person's keys few pairs are closer than 60
const SILENCE_MS = 200; // one that ends with no key has ended after this; a stall of the machine is shorter
const LEAST = 6;
const MOST = 512;
const PASSED_BY = new Set(['Shift', 'CapsLock', 'NumLock', 'AltGraph']);

// The character of a key, also while an input method of the machine swallows it and only its place is told.
function character(event) {
  if (event.key.length === 1) return event.key;
  if (event.key !== 'Process') return '';
  const [, letter, digit] = /^(?:Key([A-Z])|(?:Digit|Numpad)([0-9]))$/.exec(event.code) ?? [];
  if (letter) return event.shiftKey !== event.getModifierState('CapsLock') ? letter : letter.toLowerCase();
  return digit ?? (event.code === 'Minus' ? '-' : '');
}

const ends = (event) => ['Enter', 'Tab'].includes(event.key) || (event.key === 'Process' && /^(Numpad)?Enter$|^Tab$/.test(event.code));

export class Scanner {
  #keys = '';
  #gaps = [];
  #last = -Infinity;
  #before = null; // puts the field back as it was before the burst
  #timer = 0;

  // `scanned(text)` takes a scan; while `off()` is true keys are left alone.
  constructor(scanned, off) {
    Object.assign(this, { scanned, off });
    document.addEventListener('keydown', (event) => this.#take(event), { capture: true });
  }

  clear() {
    clearTimeout(this.#timer);
    this.#keys = '';
    this.#gaps = [];
    this.#before = null;
    this.#last = -Infinity;
  }

  // Keys came as a scanner's do: half of the gaps, at least, are closer than a person's, so that one stall does no harm.
  get #fast() {
    return this.#keys.length >= LEAST && [...this.#gaps].sort((a, b) => a - b)[this.#gaps.length >> 1] <= GAP_MS;
  }

  #take(event) {
    if (PASSED_BY.has(event.key)) return;
    // A key that is held repeats as fast as a scanner types.
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || this.off()) {
      this.clear();
      return;
    }
    const gap = event.timeStamp - this.#last; // by when it was pressed, however busy the page was since
    const key = character(event);
    if (key) {
      if (gap > SILENCE_MS) {
        this.clear();
        this.#before = remember(document.activeElement);
      } else {
        this.#gaps.push(gap);
        if (gap <= GAP_MS && !this.#before) event.preventDefault(); // else a space presses the button that has the focus
      }
      this.#last = event.timeStamp;
      if (this.#keys.length < MOST) this.#keys += key;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#end(/\d/.test(this.#keys)), SILENCE_MS); // nobody's fingers roll over digits
    } else if (ends(event) && gap <= SILENCE_MS && this.#fast) {
      event.preventDefault();
      event.stopImmediatePropagation();
      this.#end(true);
    } else {
      this.clear();
    }
  }

  #end(sure) {
    const [text, before, fast] = [this.#keys.trim(), this.#before, this.#fast];
    this.clear();
    if (!sure || !fast || !text) return;
    before?.();
    this.scanned(text);
  }
}

// How to put a field back as it is now; null for anything but a field.
function remember(element) {
  if (!(element instanceof HTMLInputElement) || typeof element.selectionStart !== 'number') return null;
  const [value, start, end] = [element.value, element.selectionStart, element.selectionEnd];
  return () => {
    if (element.value === value) return;
    element.value = value;
    element.setSelectionRange(start, end);
    element.dispatchEvent(new Event('input', { bubbles: true }));
  };
}
