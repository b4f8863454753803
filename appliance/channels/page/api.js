// The appliance's API as the page uses it. The token lives in this module's memory and nowhere else.

import { STREAM, events, isStream } from './stream.js';

const PATIENCE_MS = 45000;
const PATIENCE_FILE_MS = 90000;
const PATIENCE_FORGET_MS = 8000;
const HEARTBEATS_MS = 25000; // two heartbeats missed: the line is dead

export class Problem extends Error {
  asked = 'words'; // or photo, or speech

  constructor({ code, message, remedy, status = 0, retryAfter = 0 }) {
    super(message);
    Object.assign(this, { code, remedy, status, retryAfter });
  }

  get canRetry() {
    return this.status === 0 || this.status === 429 || this.status === 503 || this.status === 408;
  }
}

export class Api {
  #token = '';

  constructor(askToken) {
    this.askToken = askToken;
    const given = new URLSearchParams(location.hash.slice(1)).get('token');
    if (given) {
      this.#token = given;
      history.replaceState(null, '', location.pathname + location.search);
    }
  }

  async #send(method, path, { body, type, accept, signal, keepalive = false, patience = PATIENCE_MS, headers: own } = {}) {
    const headers = accept ? { ...own, Accept: accept } : { ...own };
    if (type) headers['Content-Type'] = type;
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    const limit = AbortSignal.timeout(patience);
    let response;
    try {
      response = await fetch(path, {
        method, headers, body, keepalive, cache: 'no-store', credentials: 'omit', redirect: 'error',
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Problem({ code: limit.aborted ? 'slow' : 'lost', message: '', remedy: '' });
    }
    if (response.status === 401) {
      this.#token = await this.askToken(Boolean(this.#token));
      return this.#send(method, path, { body, type, accept, signal, keepalive, patience, headers: own });
    }
    return response;
  }

  async #json(method, path, options) {
    return this.#answer(await this.#send(method, path, options), path === '/readyz');
  }

  // The JSON of an answer; a refusal is thrown, unless it is what was asked for.
  async #answer(response, wanted = false) {
    if (response.status === 204) return null;
    let answer;
    try {
      answer = await response.json();
    } catch {
      throw new Problem({ code: 'lost', message: '', remedy: '', status: response.status });
    }
    if (response.ok || wanted) return answer;
    throw new Problem({ ...answer, status: response.status, retryAfter: Number(response.headers.get('Retry-After')) || 0 });
  }

  ask(turn) {
    return this.#json('POST', '/v1/turns', { body: JSON.stringify(turn), type: 'application/json' });
  }

  hear(recording, session, language) {
    return about('speech', this.#json('POST', file(session, language), {
      body: recording, type: 'audio/wav', patience: PATIENCE_FILE_MS,
    }));
  }

  openStream(language) {
    return about('speech', this.#json('POST', '/v1/streams', { body: JSON.stringify({ language }), type: 'application/json' }));
  }

  sendPiece(stream, samples, rate) {
    return this.#json('POST', `/v1/streams/${stream}`, { body: samples, type: `audio/pcm;rate=${rate}` });
  }

  answerStream(stream, session, language) {
    return about('speech', this.#json('POST', `/v1/streams/${stream}/answer`, {
      body: JSON.stringify(session ? { session, language } : { language }), type: 'application/json', patience: PATIENCE_FILE_MS,
    }));
  }

  closeStream(stream) {
    return this.#json('DELETE', `/v1/streams/${stream}`, { patience: PATIENCE_FORGET_MS });
  }

  // Reads a photo and answers it. `watch(name, data)` hears of the lines while they are read, where the appliance tells:
  // where it has no place left to tell from, the whole answer at once is as good.
  look(blob, session, language, signal, watch) {
    return about('photo', this.#look(blob, session, language, signal, watch));
  }

  async #look(blob, session, language, signal, watch) {
    const silence = new AbortController();
    const read = (accept) => this.#send('POST', file(session, language), {
      body: blob, type: blob.type || 'image/jpeg', accept,
      signal: AbortSignal.any([signal, silence.signal]), patience: PATIENCE_FILE_MS,
    });
    const response = await read(`${STREAM}, application/json`);
    if (!isStream(response)) {
      try {
        return await this.#answer(response);
      } catch (error) {
        if (error.code !== 'overloaded') throw error;
        return this.#answer(await read('application/json'));
      }
    }
    try {
      for await (const [name, data] of events(response, PATIENCE_MS, () => silence.abort())) {
        if (name === 'result') return data;
        if (name === 'error') throw new Problem({ ...data, retryAfter: data.retry_after ?? 0 });
        watch(name, data);
      }
    } catch (error) {
      if (signal.aborted || error instanceof Problem) throw error;
      const slow = silence.signal.aborted || error.name === 'TimeoutError';
      throw new Problem({ code: slow ? 'slow' : 'lost', message: '', remedy: '' });
    }
    throw new Problem({ code: 'lost', message: '', remedy: '' }); // it ended without a result
  }

  // `keepalive` lets the request outlive a page that is being closed.
  forget(session, { keepalive = false } = {}) {
    return this.#json('DELETE', `/v1/sessions/${encodeURIComponent(session)}`, { keepalive, patience: PATIENCE_FORGET_MS });
  }

  greeting(language) {
    return this.#json('GET', `/v1/greeting?language=${language}`);
  }

  // In a body, never in the address: whatever stands between may log addresses.
  suggestions(text, language, signal) {
    const body = JSON.stringify({ text, language });
    return this.#json('POST', '/v1/suggestions', { body, type: 'application/json', signal, patience: 5000 });
  }

  // The kiosk's own microphone: listen, finish or cancel.
  voice(what, asked) {
    const body = asked ? { body: JSON.stringify(asked), type: 'application/json' } : {};
    return about('speech', this.#json('POST', `/v1/voice/${what}`, { ...body, patience: 8000, keepalive: what === 'cancel' }));
  }

  // Calls `tell(name, data)` for everything that the kiosk hears and says until the stream breaks.
  voiceEvents(tell) {
    return this.#follow('/v1/voice/events', tell);
  }

  // The appliance's own camera: look, or attend.
  camera(what, asked) {
    return about('photo', this.#json('POST', `/v1/camera/${what}`, {
      body: JSON.stringify(asked), type: 'application/json', patience: PATIENCE_FILE_MS, keepalive: what === 'attend',
    }));
  }

  // Calls `tell(name, data)` for everything that the camera sees, and what came of it, until the stream breaks.
  cameraEvents(tell) {
    return this.#follow('/v1/camera/events', tell);
  }

  ready() {
    return this.#json('GET', '/readyz', { patience: 8000 });
  }

  // Calls `tell(name, data)` for each event of the appliance's state until the stream breaks.
  events(tell, signal) {
    return this.#follow('/v1/events', tell, signal);
  }

  // For what is loaded later: any request, with headers of its own, any answer as it comes, and any stream of events.
  async open(path, signal) {
    const response = await this.#send('GET', path, { signal, patience: 2 ** 31 - 1 });
    if (!response.ok) await this.#answer(response); // throws what it was refused for
    return response;
  }

  request(method, path, options) {
    return this.#json(method, path, options);
  }

  follow(path, tell, signal, { headers }) {
    return this.#follow(path, tell, signal, headers);
  }

  async #follow(path, tell, signal = new AbortController().signal, headers = {}) {
    const silence = new AbortController();
    const response = await this.#send('GET', path, {
      accept: STREAM, signal: AbortSignal.any([signal, silence.signal]), patience: 2 ** 31 - 1, headers,
    });
    if (!response.ok) await this.#answer(response); // throws what it was refused for
    for await (const [name, data] of events(response, HEARTBEATS_MS, () => silence.abort())) tell(name, data);
  }
}

// A problem says what it was that was asked.
async function about(asked, doing) {
  try {
    return await doing;
  } catch (error) {
    if (error instanceof Problem) error.asked = asked;
    throw error;
  }
}

function file(session, language) {
  const query = new URLSearchParams({ language });
  if (session) query.set('session', session);
  return `/v1/turns?${query}`;
}
