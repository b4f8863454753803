// Sound on its way to the appliance while it is spoken: words come back with every piece of it.

const PIECE_S = 0.2;

function pcm(blocks) {
  const samples = new Int16Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    for (const sample of block) {
      samples[at] = Math.round(Math.max(-1, Math.min(1, sample)) * 32767);
      at += 1;
    }
  }
  return samples.buffer; // little-endian on every machine that runs a browser
}

export class Live {
  #name;
  #waiting = [];
  #length = 0;
  #sending = null;
  #failed = false;
  #over = false;

  constructor(api, name, rate, told) {
    Object.assign(this, { api, rate, told });
    this.#name = name;
  }

  // A stream, or null where the appliance has no place for one: the whole recording in one piece is as good then.
  static async open(api, language, rate, told) {
    try {
      const { stream } = await api.openStream(language);
      return new Live(api, stream, rate, told);
    } catch (error) {
      if (['overloaded', 'not_found', 'lost', 'slow'].includes(error.code)) return null;
      throw error;
    }
  }

  get failed() {
    return this.#failed;
  }

  push(block) {
    if (this.#over || this.#failed) return;
    this.#waiting.push(block);
    this.#length += block.length;
    if (!this.#sending && this.#length >= this.rate * PIECE_S) this.#send();
  }

  // One piece at a time, in order: what gathers meanwhile goes with the next one.
  #send() {
    const blocks = this.#waiting;
    this.#waiting = [];
    this.#length = 0;
    this.#sending = this.api.sendPiece(this.#name, pcm(blocks), this.rate).then(
      ({ events }) => events.forEach((event) => this.#over || this.told(event)),
      () => { this.#failed = true; },
    ).then(() => {
      this.#sending = null;
      if (!this.#over && !this.#failed && this.#length >= this.rate * PIECE_S) this.#send();
    });
    return this.#sending;
  }

  // The answer to everything that was said. Look at `failed` before: then it has to be asked for with the recording.
  async answer(session, language) {
    await this.end();
    this.#failed = true; // it is asked once: whoever asks again sends the recording
    return this.api.answerStream(this.#name, session, language);
  }

  // Sends what is left. Nothing is told any more.
  async end() {
    this.#over = true;
    await this.#sending;
    if (this.#length && !this.#failed) await this.#send();
  }

  close() {
    this.#over = true;
    this.api.closeStream(this.#name).catch(() => {}); // it is closed there, too, when nobody feeds it
  }
}
