// The photo dialog: a notice first, then the camera or a file. The camera is off again as soon as the dialog closes.

import { $ } from './dom.js';
import { Guidance } from './guidance.js';

export class Camera {
  #stream = null;
  #lit = false;

  // `own` is the appliance's camera: whether it is `there`, and how to `look` through it.
  constructor(words, taken, own) {
    this.words = words; // () => strings of the current language
    this.dialog = $('camera');
    this.video = $('video');
    this.guidance = new Guidance(this.video, (hint) => this.#hint(hint));
    $('camera-open').addEventListener('click', () => this.#open());
    $('camera-own').addEventListener('click', () => {
      this.dialog.close();
      own.look();
    });
    this.own = own;
    $('camera-file').addEventListener('click', () => $('file').click());
    $('camera-take').addEventListener('click', () => this.#take(taken));
    $('camera-torch').addEventListener('click', () => this.#torch(!this.#lit));
    $('file').addEventListener('change', () => {
      const [file] = $('file').files;
      $('file').value = '';
      if (!file) return;
      this.dialog.close();
      taken(file);
    });
    this.dialog.addEventListener('close', () => this.#stop());
  }

  show() {
    $('camera-problem').hidden = true;
    $('camera-own').hidden = !this.own.there();
    $('camera-open').hidden = !navigator.mediaDevices?.getUserMedia;
    $('camera-notice').hidden = false;
    $('camera-view').hidden = true;
    this.dialog.showModal();
  }

  async #open() {
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: 'environment', width: { ideal: 1920 }, height: { ideal: 1080 } },
        audio: false,
      });
    } catch {
      $('camera-problem').textContent = this.words().cameraNone;
      $('camera-problem').hidden = false;
      return;
    }
    if (!this.dialog.open) return this.#stop();
    this.video.srcObject = this.#stream;
    $('camera-notice').hidden = true;
    $('camera-view').hidden = false;
    $('camera-torch').hidden = !this.#track?.getCapabilities?.().torch;
    this.#hint('good');
    try {
      await this.video.play();
    } catch {
      return undefined; // closed before the first frame came
    }
    this.guidance.start();
    $('camera-take').focus();
    return undefined;
  }

  async #take(taken) {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width) return;
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext('2d').drawImage(this.video, 0, 0);
    const photo = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 });
    this.dialog.close();
    taken(photo);
  }

  get #track() {
    return this.#stream?.getVideoTracks()[0];
  }

  async #torch(on) {
    try {
      await this.#track?.applyConstraints({ advanced: [{ torch: on }] });
      this.#lit = on;
    } catch {
      this.#lit = false;
      $('camera-torch').hidden = true; // it has said that it can, and cannot
    }
    $('camera-torch').setAttribute('aria-pressed', String(this.#lit));
  }

  // What would make the photo better, calmly; the shutter works all the same.
  #hint(hint) {
    const text = this.words().hints[hint];
    this.dialog.dataset.hint = hint;
    if ($('camera-hint').textContent !== text) $('camera-hint').textContent = text;
  }

  #stop() {
    this.guidance.stop();
    this.#lit = false;
    $('camera-torch').setAttribute('aria-pressed', 'false');
    $('camera-hint').textContent = '';
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.video.srcObject = null;
  }
}
