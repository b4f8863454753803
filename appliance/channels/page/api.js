// The appliance's API as the page uses it. The token lives in this module's memory and nowhere else.

const PATIENCE_MS = 45000;

export class Problem extends Error {
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
      history.replaceState(null, '', location.pathname);
    }
  }

  async #send(method, path, { body, type, signal, patience = PATIENCE_MS } = {}) {
    const headers = path === '/v1/events' ? { Accept: 'text/event-stream' } : {};
    if (type) headers['Content-Type'] = type;
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    const limit = AbortSignal.timeout(patience);
    let response;
    try {
      response = await fetch(path, {
        method, headers, body, cache: 'no-store', credentials: 'omit', redirect: 'error',
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Problem({ code: limit.aborted ? 'slow' : 'lost', message: '', remedy: '' });
    }
    if (response.status === 401) {
      this.#token = await this.askToken(Boolean(this.#token));
      return this.#send(method, path, { body, type, signal, patience });
    }
    return response;
  }

  async #json(method, path, options) {
    const response = await this.#send(method, path, options);
    if (response.status === 204) return null;
    let answer;
    try {
      answer = await response.json();
    } catch {
      throw new Problem({ code: 'lost', message: '', remedy: '', status: response.status });
    }
    if (response.ok || path === '/readyz') return answer;
    throw new Problem({ ...answer, status: response.status, retryAfter: Number(response.headers.get('Retry-After')) || 0 });
  }

  ask(turn, signal) {
    return this.#json('POST', '/v1/turns', { body: JSON.stringify(turn), type: 'application/json', signal });
  }

  send(blob, type, session, language, signal) {
    const query = new URLSearchParams({ language });
    if (session) query.set('session', session);
    return this.#json('POST', `/v1/turns?${query}`, { body: blob, type, signal, patience: 90000 });
  }

  forget(session) {
    return this.#json('DELETE', `/v1/sessions/${encodeURIComponent(session)}`);
  }

  greeting(language) {
    return this.#json('GET', `/v1/greeting?language=${language}`);
  }

  ready() {
    return this.#json('GET', '/readyz', { patience: 8000 });
  }

  // Server-sent events over fetch: unlike EventSource it can carry the token. Calls `tell(name, data)` until it breaks.
  async events(tell, signal) {
    const silence = new AbortController();
    const response = await this.#send('GET', '/v1/events', {
      signal: AbortSignal.any([signal, silence.signal]), patience: 2 ** 31 - 1,
    });
    if (!response.ok) {
      throw new Problem({ code: 'events', message: '', remedy: '', status: response.status });
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const timer = setTimeout(() => silence.abort(), 25000); // two heartbeats missed: the line is dead
      const { value, done } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      text += value;
      let end;
      while ((end = text.indexOf('\n\n')) >= 0) {
        const fields = Object.fromEntries(text.slice(0, end).split('\n').map((line) => {
          const at = line.indexOf(': ');
          return [line.slice(0, at), line.slice(at + 2)];
        }));
        text = text.slice(end + 2);
        if (fields.event) tell(fields.event, JSON.parse(fields.data));
      }
    }
  }
}
