// Photos on the page: shown at once, their lines drawn over them while they are read, gone with their customer.

import { Problem } from './api.js';
import { $, toast } from './dom.js';
import { PhotoView, fitting } from './photo.js';

export class Looking {
  #urls = new Set();

  // `doing` is what can be done with a line; `act` runs a request, `read(blob, signal, watch)` makes it.
  constructor(words, chat, doing, act, read) {
    Object.assign(this, { words, chat, doing, act, read });
    $('zoom').addEventListener('close', () => $('zoom-body').replaceChildren());
  }

  // `signal` tells that the customer has left.
  async show(file, signal) {
    const blob = await fitting(file);
    if (signal.aborted) return; // wiped while it was made smaller
    const url = URL.createObjectURL(blob);
    this.#urls.add(url);
    let known = null;
    let stopping = new AbortController();
    const view = new PhotoView(url, this.words(), {
      ...this.doing, enlarge: () => this.#enlarge(url, known), stop: () => stopping.abort(),
    });
    const remove = this.chat.photo(view.element);
    view.image.addEventListener('load', () => this.chat.toEnd()); // only now it has its height
    const watch = (name, data) => {
      if (name === 'found') view.found(data.lines);
      else if (name === 'line') view.add(data);
      else if (name === 'restart') view.restart(); // another reader begins anew
    };
    const request = async (left) => {
      try {
        return await this.read(blob, AbortSignal.any([left, stopping.signal]), watch);
      } catch (error) {
        if (error instanceof Problem && !error.canRetry) { // no photo that could be read
          remove();
          this.#drop(url);
        }
        throw error;
      }
    };
    const waiting = () => {
      stopping = new AbortController();
      view.restart();
      return () => {
        if (!stopping.signal.aborted) {
          view.rest();
        } else if (!signal.aborted) {
          known = view.stopped(); // what has been read stays, for whoever had no time for the rest
          toast(this.words().stopped);
          this.chat.offer();
        }
      };
    };
    await this.act(request, waiting, (reply) => {
      known = reply.ocr;
      view.finish(known);
      this.chat.answer(reply);
    });
  }

  wipe() {
    $('zoom-body').replaceChildren();
    this.#urls.forEach((url) => this.#drop(url));
  }

  #enlarge(url, known) {
    $('zoom-body').replaceChildren(new PhotoView(url, this.words(), { ...this.doing, open: true }).finish(known).element);
    $('zoom').showModal();
  }

  #drop(url) {
    this.#urls.delete(url);
    URL.revokeObjectURL(url);
  }
}
