// A barcode scanner on USB types like a keyboard, only faster than anybody: a burst of keys, ended by Enter, by Tab or by
// silence, is one scan wherever the focus is. What it wrote into a field is taken out again.

const GAP_MS = 50; // scanners leave 1 to 30 ms between keys; a person's fastest pairs of keys are rarely below 60
const LEAST = 6;
const MOST = 512;
const SILENCE_MS = 100;
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
  #last = -Infinity;
  #before = null; // the field as it was before the burst
  #timer = 0;

  // `scanned(text)` takes a scan; while `off()` is true keys are left alone.
  constructor(scanned, off) {
    Object.assign(this, { scanned, off });
    document.addEventListener('keydown', (event) => this.#take(event), { capture: true });
  }

  // True while keys come too fast for a person.
  get bursting() {
    return this.#keys.length > 2;
  }

  clear() {
    clearTimeout(this.#timer);
    this.#keys = '';
    this.#before = null;
    this.#last = -Infinity;
  }

  #take(event) {
    if (PASSED_BY.has(event.key)) return;
    // A key that is held repeats as fast as a scanner types.
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || this.off()) {
      this.clear();
      return;
    }
    const fast = event.timeStamp - this.#last <= GAP_MS; // when it was pressed, however busy the page was since
    const key = character(event);
    if (key) {
      if (!fast) {
        this.clear();
        this.#before = remember(document.activeElement);
      } else if (!this.#before) {
        event.preventDefault(); // else a space presses the button that has the focus
      }
      this.#last = event.timeStamp;
      if (this.#keys.length < MOST) this.#keys += key;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#end(/\d/.test(this.#keys)), SILENCE_MS); // no suffix: a code has a digit
    } else if (fast && ends(event) && this.#keys.length >= LEAST) {
      event.preventDefault();
      event.stopImmediatePropagation();
      this.#end(true);
    } else {
      this.clear();
    }
  }

  #end(sure) {
    const [text, before] = [this.#keys.trim(), this.#before];
    this.clear();
    if (!sure || text.length < LEAST) return;
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
