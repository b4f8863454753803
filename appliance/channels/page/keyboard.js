// The on-screen keyboard of a touch kiosk: pinyin, letters, signs, and pads for numbers. simple-keyboard draws the keys and
// tells which one is pressed; what that means is decided here, and the library keeps no text of its own.

import SimpleKeyboard from './vendor/simple-keyboard-3.8.192/index.modern.esm.js';

import { Candidates } from './candidates.js';
import { $ } from './dom.js';
import { Entry } from './entry.js';
import { LAYOUTS, PADS, display, labels } from './keys.js';
import { clicked, reported } from './presses.js';
import { walk } from './walk.js';

const LEAST_WIDTH = '(min-width: 600px)'; // a phone has a keyboard of its own
const LONGEST = 32; // letters of pinyin at once
const LETTERS = new Set(['zh', 'en', 'shift']);

export class Keyboard {
  #letters = ''; // pinyin that is not written yet
  #layout = 'zh';
  #pad = false; // opened by a question for a number
  #touch = false; // fingers are used here
  #code = false; // the number asked for may have letters

  // `suggest` completes what is typed; `moved` is called when the room above has changed; `asks` are slots' entity types.
  constructor(words, language, suggest, moved) {
    Object.assign(this, { words, language, suggest, moved });
    this.asks = {};
    this.typing = 'zh'; // the language of the letters, whatever the page speaks
    this.panel = $('keyboard');
    this.field = $('text');
    this.entry = new Entry(this.field);
    this.candidates = new Candidates(words, suggest, (candidate) => this.#take(candidate));
    this.keys = new SimpleKeyboard($('keyboard-keys'), {
      layout: LAYOUTS, layoutName: 'zh', theme: 'keys', display: {}, useButtonTag: true,
      enableLayoutCandidates: false, disableCaretPositioning: true, inputPattern: /^$/, // it keeps nothing of what is typed
      onKeyPress: (key, event) => { if (reported(key, event)) this.#press(key); },
      onRender: () => this.#rendered(),
    });
    this.#allow();
    this.#listen();
  }

  get open() {
    return !this.panel.hidden;
  }

  get composing() {
    return this.#letters !== '';
  }

  #allow() {
    const asked = new URLSearchParams(location.search).get('keyboard');
    this.always = asked === 'on';
    this.never = asked === 'off';
    $('keys').hidden = this.never || !(this.always || (navigator.maxTouchPoints > 0 && matchMedia(LEAST_WIDTH).matches));
    if (this.always) this.#fingers();
  }

  #fingers() {
    this.#touch = true;
    this.field.inputMode = 'none'; // the machine's own keyboard stays away
  }

  #listen() {
    const fits = (event) => !this.never && (this.always
      || (['touch', 'pen'].includes(event.pointerType) && matchMedia(LEAST_WIDTH).matches));
    document.addEventListener('pointerdown', (event) => { if (fits(event)) this.#fingers(); }, { capture: true, passive: true });
    this.field.addEventListener('click', (event) => { if (fits(event) && !this.open) this.show(this.typing); });
    $('keys').addEventListener('mousedown', (event) => event.preventDefault());
    $('keys').addEventListener('click', () => {
      if (this.open) {
        this.close();
      } else {
        this.#fingers();
        this.field.focus();
        this.show(this.typing);
      }
    });
    this.panel.addEventListener('mousedown', (event) => event.preventDefault()); // the field keeps the focus
    clicked($('keyboard-keys'), (key) => this.#press(key));
    this.panel.addEventListener('keydown', (event) => walk(this.panel, event));
    document.addEventListener('keydown', (event) => {
      if (!this.open) return;
      const inside = this.panel.contains(event.target);
      if (event.key === 'Escape' && !event.defaultPrevented) {
        if (inside) this.field.focus();
        this.close();
      } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !(inside && event.key === ' ')) {
        if (inside) this.field.focus(); // the key goes on into the field
        this.close(); // whoever has a real keyboard needs no drawn one
      }
    });
  }

  show(layout) {
    this.#layout = layout;
    this.#pad = layout === 'number' || layout === 'code';
    this.panel.hidden = false;
    $('keys').setAttribute('aria-expanded', 'true');
    this.#draw();
    this.moved();
  }

  close() {
    if (!this.open) return;
    this.flush();
    this.suggest.clear();
    this.panel.hidden = true;
    this.#pad = false;
    $('keys').setAttribute('aria-expanded', 'false');
    this.moved();
  }

  // Forgets everything of this customer.
  clear() {
    this.#compose('');
    this.close();
    this.#code = false;
    this.typing = this.language();
    this.keys.clearInput();
  }

  // Writes what is still pinyin: the word that it stands for where the appliance knows one, else its letters.
  flush() {
    if (!this.composing) return;
    const text = this.candidates.word ?? this.#letters.replaceAll("'", '');
    this.#compose('');
    this.entry.write(text);
  }

  translate() {
    this.flush();
    this.typing = this.language();
    if (LETTERS.has(this.#layout)) this.#layout = this.typing;
    this.panel.setAttribute('aria-label', this.words().keys.keyboard);
    $('keys').setAttribute('aria-label', this.words().keys.keyboard);
    this.#draw();
  }

  // After an answer that asks for a number the pad for it opens by itself, where fingers type; after any other it closes.
  expect({ flow, expects, suggestions }) {
    const types = this.asks[flow]?.[expects] ?? [];
    const confirming = suggestions.some(({ intent }) => intent === 'affirm'); // yes or no is asked for, not the number
    const pad = confirming ? undefined : types.map((type) => PADS[type]).sort()[0]; // code before number: it has all signs
    this.#code = pad === 'code';
    if (pad && this.#touch) this.show('number');
    else if (this.#pad) this.close();
  }

  #draw() {
    const words = this.words().keys;
    this.candidates.show(this.#layout === 'zh');
    this.panel.dataset.layout = this.#layout;
    this.keys.setOptions({
      layoutName: this.#layout,
      display: display(words, { typing: this.typing, layout: this.#layout, code: this.#pad && this.#code }),
      buttonAttributes: [
        { attribute: 'type', value: 'button' },
        ...labels(words),
        { attribute: 'aria-pressed', value: String(this.#layout === 'shift'), buttons: '{shift}' },
      ],
    });
  }

  // One stop for the Tab key; arrows go on from there.
  #rendered() {
    const keys = [...$('keyboard-keys').querySelectorAll('.hg-button')];
    keys.forEach((key, index) => { key.tabIndex = index ? -1 : 0; });
  }

  #press(key) {
    if (key === '{bksp}') this.#erase();
    else if (key === '{clear}') this.#empty();
    else if (key === '{close}') this.close();
    else if (key === '{send}') this.#send();
    else if (key === '{shift}') this.#switch(this.#layout === 'shift' ? 'en' : 'shift');
    else if (key === '{language}') this.#speak(this.#pad || this.typing === 'en' ? 'zh' : 'en');
    else if (key === '{symbols}') this.#switch('symbols');
    else if (key === '{digits}') this.#switch('number');
    else if (key === '{letters}') this.#switch(this.#pad && this.#code ? 'code' : this.typing);
    else if (this.#layout === 'zh' && /^[a-z']$/.test(key)) this.#spell(key);
    else if (key === '{space}' && this.composing) this.candidates.takeFirst();
    else {
      this.#settle();
      this.entry.write(key === '{space}' ? ' ' : key);
      if (this.#layout === 'shift') this.#switch('en');
    }
  }

  #speak(typing) {
    this.typing = typing;
    this.#switch(typing);
  }

  #switch(layout) {
    this.#settle();
    this.#pad &&= layout === 'number' || layout === 'code';
    this.#layout = layout;
    this.#draw();
    this.moved();
  }

  #spell(letter) {
    if (letter === "'" && (!this.composing || this.#letters.endsWith("'"))) return;
    if (this.#letters.length < LONGEST) this.#compose(this.#letters + letter);
  }

  #compose(letters) {
    this.#letters = letters;
    const { value } = this.field;
    const at = this.field.selectionStart ?? value.length;
    this.candidates.spell(letters, value.slice(0, at));
    if (letters) this.suggest.typed(value.slice(0, at) + letters + value.slice(this.field.selectionEnd ?? at), 0);
    const send = this.keys.getButtonElement('{send}')?.querySelector('b');
    if (send) send.textContent = letters ? this.words().keys.choose : this.words().send;
  }

  // A candidate writes its characters and takes its letters away.
  #take({ text, used }) {
    const rest = this.#letters.slice(used);
    this.#letters = '';
    this.entry.write(text);
    this.#compose(rest);
  }

  // Before anything else is written, what is spelt becomes the first candidate.
  #settle() {
    while (this.composing) this.candidates.takeFirst();
  }

  #erase() {
    if (!this.composing) {
      this.entry.erase();
      return;
    }
    this.#compose(this.#letters.slice(0, -1));
    if (!this.composing) this.entry.told();
  }

  #empty() {
    this.#compose('');
    this.entry.empty();
  }

  #send() {
    if (this.composing) this.candidates.takeFirst();
    else this.field.form.requestSubmit();
  }
}
