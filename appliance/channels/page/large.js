// Large text for whoever wants it, until the screen is wiped.

export class Large {
  // `changed()` is called when everything has another size.
  constructor(button, changed) {
    Object.assign(this, { button, changed });
    button.addEventListener('click', () => this.set(!this.on));
  }

  get on() {
    return document.documentElement.classList.contains('large');
  }

  set(on) {
    if (on === this.on) return;
    document.documentElement.classList.toggle('large', on);
    this.button.setAttribute('aria-pressed', String(on));
    this.changed();
  }
}
