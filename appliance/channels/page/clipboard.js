// What was copied here belongs to whoever copied it: the clipboard is emptied together with the screen.

export class Clipboard {
  #used = false;

  constructor() {
    for (const kind of ['copy', 'cut']) document.addEventListener(kind, () => { this.#used = true; });
  }

  // True when the text is in the clipboard, false where that is not permitted.
  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.#used = true;
      return true;
    } catch {
      return false;
    }
  }

  // A browser may refuse it as long as nobody touches the page: then it is done with the first touch of the next one,
  // who cannot have pasted anything before.
  async wipe() {
    if (!this.#used) return;
    try {
      await navigator.clipboard.writeText('');
      this.#used = false;
    } catch {
      for (const sign of ['pointerdown', 'keydown']) {
        document.addEventListener(sign, () => this.wipe(), { capture: true, once: true });
      }
    }
  }
}
