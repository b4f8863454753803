// Large text for whoever wants it, until the screen is wiped.

export class Large {
  constructor(button) {
    this.button = button;
    button.addEventListener('click', () => this.set(!this.on));
  }

  get on() {
    return document.documentElement.classList.contains('large');
  }

  set(on) {
    document.documentElement.classList.toggle('large', on);
    this.button.setAttribute('aria-pressed', String(on));
  }
}
