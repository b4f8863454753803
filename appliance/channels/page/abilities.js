// What this machine can do just now, as far as the page shows it: reading photos, hearing.

import { $ } from './dom.js';

const serves = (feature) => feature?.state === 'ready' || feature?.state === 'fallback';

export class Abilities {
  asr = null;
  #ocr = null;

  constructor(words, language) {
    Object.assign(this, { words, language });
  }

  changed({ asr = null, ocr = null }) {
    this.asr = asr;
    this.#ocr = ocr;
    this.show();
  }

  get reads() {
    return serves(this.#ocr);
  }

  // A recogniser hears one language; a feature that names none serves all.
  get hears() {
    return serves(this.asr) && (!this.asr.languages?.length || this.asr.languages.includes(this.language()));
  }

  show() {
    const on = this.hears;
    $('speak').classList.toggle('is-off', !on);
    $('speak').setAttribute('aria-disabled', String(!on));
    $('speak').title = on ? '' : this.words().speakOff;
    $('speak-icon').setAttribute('href', on ? '#i-mic' : '#i-mic-off');
  }
}
