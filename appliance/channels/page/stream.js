// Server-sent events over fetch: unlike EventSource it can carry a token, a photo, and a way to stop.

export const STREAM = 'text/event-stream';

export const isStream = (response) => (response.headers.get('Content-Type') ?? '').startsWith(STREAM);

// Yields [name, data] until the stream ends; calls `silent` when nothing at all has come for `patience` milliseconds.
export async function* events(response, patience, silent) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  try {
    for (;;) {
      const timer = setTimeout(silent, patience);
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
        if (fields.event) yield [fields.event, JSON.parse(fields.data)];
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // whoever stops listening hangs up; a line that is dead already cannot be
  }
}
