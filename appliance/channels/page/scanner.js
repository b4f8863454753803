// A barcode scanner on USB types like a keyboard, only faster than anybody: a burst of keys, ended by Enter, by Tab or by
// silence, is one scan wherever the focus is. What it wrote into a field is taken out again.

export const GAP_MS = 50; // scanners leave 1 to 30 ms between keys; of a person's keys few pairs are closer than 60
const PAUSE_MS = 200; // a person's next word
export const SILENCE_MS = 500; // one that ends with no key has ended after this; a stall of the machine is shorter
const LATE_MS = 60; // a timer that is later than this: the page was busy, and keys may wait behind it
export const LEAST = 6;
const MOST = 512;
const PASSED_BY = new Set(['Shift', 'CapsLock', 'NumLock', 'AltGraph']);

// The character of a key, also while an input method of the machine swallows it and only its place is told.
export function character(event) {
  if (event.key.length === 1) return event.key;
  if (event.key !== 'Process') return '';
  const [, letter, digit] = /^(?:Key([A-Z])|(?:Digit|Numpad)([0-9]))$/.exec(event.code) ?? [];
  if (letter) return event.shiftKey !== event.getModifierState('CapsLock') ? letter : letter.toLowerCase();
  return digit ?? (event.code === 'Minus' ? '-' : '');
}

export const ends = (event) => ['Enter', 'Tab'].includes(event.key) || (event.key === 'Process' && /^(Numpad)?Enter$|^Tab$/.test(event.code));

export class Scanner {
  #keys = '';
  #gaps = [];
  #last = -Infinity;
  #before = null; // puts the field back as it was before the burst
  #timer = 0;
  #done = -Infinity; // when the last key of a scan was pressed that silence has ended
  #tail = false; // these keys are what came of it too late

  // `scanned(text)` takes a scan, `torn()` hears that the rest of one came too late; while `off()` is true keys are left alone.
  constructor(scanned, off, torn) {
    Object.assign(this, { scanned, off, torn });
    document.addEventListener('keydown', (event) => this.#take(event), { capture: true });
  }

  clear() {
    clearTimeout(this.#timer);
    this.#keys = '';
    this.#gaps = [];
    this.#before = null;
    this.#last = -Infinity;
    this.#done = -Infinity;
    this.#tail = false;
  }

  // Half of the gaps, at least, are closer than a person's, so that one stall does no harm.
  get #close() {
    return [...this.#gaps].sort((a, b) => a - b)[this.#gaps.length >> 1] <= GAP_MS;
  }

  get #fast() {
    return this.#keys.length >= LEAST && this.#close;
  }

  // A person's pause begins anew; within what came as a scanner's keys do, a longer one is the machine's.
  #follows(gap) {
    return gap <= PAUSE_MS || (gap <= SILENCE_MS && (this.#keys.length === 1 || this.#close));
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
      const tail = event.timeStamp - this.#done <= SILENCE_MS;
      if (tail || !this.#follows(gap)) {
        this.clear();
        this.#before = remember(document.activeElement);
        this.#tail = tail;
      } else {
        this.#gaps.push(gap);
      }
      if (!this.#before && (gap <= GAP_MS || tail)) event.preventDefault(); // else a space presses the button that has the focus
      this.#last = event.timeStamp;
      if (this.#keys.length < MOST) this.#keys += key;
      this.#wait();
    } else if (ends(event) && gap <= SILENCE_MS && (this.#fast || this.#tail)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      this.#end(true);
    } else if (ends(event) && event.timeStamp - this.#done <= SILENCE_MS) {
      event.preventDefault(); // only its suffix came too late: nothing is to be sent or pressed
      event.stopImmediatePropagation();
    } else {
      this.clear();
    }
  }

  // Ends the burst after silence: of keys, and not of a page that was too busy to hear them.
  #wait() {
    clearTimeout(this.#timer);
    const due = performance.now() + SILENCE_MS;
    this.#timer = setTimeout(() => {
      if (performance.now() - due > LATE_MS) {
        this.#wait();
        return;
      }
      const last = this.#last;
      const scan = this.#end(/\d/.test(this.#keys)); // nobody's fingers roll over digits
      if (scan) this.#done = last;
    }, SILENCE_MS);
  }

  // True when it was a scan, or the rest of one.
  #end(sure) {
    const [text, before, fast, tail] = [this.#keys.trim(), this.#before, this.#fast, this.#tail];
    this.clear();
    if (!tail && (!sure || !fast || !text)) return false;
    before?.();
    if (tail) this.torn();
    else this.scanned(text);
    return true;
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
