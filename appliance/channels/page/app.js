// Wires the page: one customer at a time, nothing kept in any storage.

import { Abilities } from './abilities.js';
import { Api, Problem } from './api.js';
import { Attract } from './attract.js';
import { Camera } from './camera.js';
import { Chat } from './chat.js';
import { Clipboard } from './clipboard.js';
import { Corner } from './corner.js';
import { $, forget, toast } from './dom.js';
import { Forgetting } from './forgetting.js';
import { Health } from './health.js';
import { Idle } from './idle.js';
import { Keyboard } from './keyboard.js';
import { Kiosk } from './kiosk.js';
import { Large } from './large.js';
import { Looking } from './looking.js';
import { Microphone } from './microphone.js';
import { withinReach } from './reach.js';
import { Scanner } from './scanner.js';
import { Sight } from './sight.js';
import { STRINGS } from './strings.js';
import { Suggest } from './suggest.js';
import { tokens } from './token.js';
import { write } from './wording.js';

let language = 'zh';
let session = null;
let visit = new AbortController(); // aborted when the customer starts over: late answers of the old one are dropped
const asked = new Set(); // requests on their way

const words = () => STRINGS[language];
const api = new Api(tokens(words));
const chat = new Chat(words, () => language, tapped);
const abilities = new Abilities(words, () => language);
const health = new Health(api, words, () => language, (features) => {
  abilities.changed(features);
  kiosk.changed(features);
  sight.changed(features);
});
const forgetting = new Forgetting(api);
const camera = new Camera(words, (photo) => looking.show(photo, visit.signal), { there: () => sight.on, look: lookOwn });
const microphone = new Microphone(api, words, () => language, (recording) => hear(recording));
const kiosk = new Kiosk(api, words, { replied: overheard, failed });
const sight = new Sight(api, words, {
  replied: overheard,
  failed: (problem) => failed(problem, 'photo'),
  joined: () => { if (session || language !== 'zh') sight.attend(session, language); },
});
const clipboard = new Clipboard();
const looking = new Looking(words, chat, { use, copy: (text) => clipboard.copy(text) }, act,
  (blob, signal, watch) => api.look(blob, session, language, signal, watch));
const large = new Large($('large'), () => chat.toEnd());
const suggest = new Suggest(api, words, () => language, chosen);
const corner = new Corner(api, {
  language: () => language,
  session: () => session,
  emptied: (forgotten) => {
    if (session === forgotten) session = null;
    leave({ quiet: true });
  },
  left: () => leave({ quiet: true }), // the voice, above all: what the technician said is no customer's
});
const scanner = new Scanner(scanned, () => $('token').open || corner.busy, () => toast(words().scanBusy));
const keyboard = new Keyboard(words, () => language, suggest, () => chat.toEnd());
const idle = new Idle(words, { held, waiting, over: leave });
const attract = new Attract(api, {
  free: () => !corner.busy && kiosk.phase === 'idle' && !held() && !running && !$('token').open && ['ready', 'limited'].includes(health.state),
  extras: () => [...(abilities.reads ? [['camera', 'attractPhoto']] : []), ...(abilities.hears ? [['mic', 'attractSpeak']] : [])],
  begin: (chosen) => { if (chosen !== language) speak(chosen); },
});

// Runs one request to the appliance: `waiting()` shows that it works and returns how to take that away again.
function act(request, waiting, done) {
  const doing = perform(request, waiting, done).finally(() => asked.delete(doing));
  asked.add(doing);
  return doing;
}

// False when the customer has left meanwhile and the appliance may still know something of it.
async function perform(request, waiting, done) {
  const mine = visit;
  const over = waiting();
  setBusy(+1);
  try {
    const reply = await request(mine.signal);
    if (mine.signal.aborted) return await forgetting.now(reply.session);
    session = reply.session;
    sight.attend(session, language);
    over();
    done(reply);
    keyboard.expect(reply.answer);
  } catch (error) {
    over();
    if (error.name === 'AbortError') return true; // broken off: the appliance ends it, and opens no session for it
    if (!(error instanceof Problem)) throw error;
    if (mine.signal.aborted) return error.status !== 0; // without an answer nobody knows what became of it
    chat.problem(error, () => act(request, waiting, done));
  } finally {
    if (mine === visit) {
      setBusy(-1);
      idle.touched(); // an answer is to be read first
    }
  }
  return true;
}

let running = 0;

function setBusy(change) {
  running += change;
  $('busy').classList.toggle('on', running > 0);
  $('send').disabled = running > 0;
}

// A turn of words takes milliseconds: it is never broken off, so that its session's name is known and can be forgotten.
function ask(turn) {
  chat.customer(turn.text);
  return act(() => api.ask(session ? { ...turn, session, language } : { ...turn, language }),
    () => chat.busy(words().thinking), (reply) => chat.answer(reply));
}

function tapped(suggestion) {
  if (running) return;
  const turn = { text: suggestion.text, source: 'tap' };
  if (suggestion.intent) turn.intent = suggestion.intent;
  ask(turn);
}

function chosen(suggestion) {
  if (running) return;
  $('text').value = '';
  forgetTyping();
  tapped(suggestion);
}

// What a scanner read, whatever is open: the answer to it is to be seen.
function scanned(text) {
  if (running) {
    toast(words().scanBusy);
    return;
  }
  closeDialogs();
  attract.hide();
  forgetTyping();
  ask({ text, source: 'barcode' });
}

function forgetTyping() {
  keyboard.clear();
  suggest.clear();
  scanner.clear();
}

function use(text) {
  $('zoom').close();
  $('text').value = text;
  $('text').focus();
}

function hear(recording) {
  return act(() => recording.answer(session, language), () => chat.busy(words().hearing), (reply) => {
    chat.customer(reply.transcript?.text || reply.turn.text || '…');
    chat.answer(reply);
  });
}

// One look through the appliance's own camera, where the browser has none.
function lookOwn() {
  return act(() => sight.look(session, language), () => chat.busy(words().reading), (reply) => {
    chat.customer(reply.turn.text || '…');
    chat.answer(reply);
  });
}

// What was said into the kiosk's own microphone, or held before its own camera: nobody asked for it from here, so it
// may come at any time.
function overheard(reply) {
  if (corner.inside) { // the technician has tried the microphone, and nobody's words are shown to him
    forgetting.now(reply.session);
    return;
  }
  closeDialogs();
  attract.hide();
  if (session && session !== reply.session) forgetting.now(session);
  session = reply.session;
  sight.attend(session, language);
  chat.customer(reply.transcript?.text || reply.turn.text || '…');
  chat.answer(reply);
  keyboard.expect(reply.answer);
  idle.touched();
}

function failed(problem, asked = 'speech') {
  if (corner.inside) return;
  const told = new Problem({ ...problem, status: 500 }); // to speak, or show it, again is all that can be done again
  told.asked = asked;
  chat.problem(told);
}

async function listen() {
  try {
    await kiosk.listen(session, language);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    chat.problem(error, listen);
  }
}

// True while something of a customer is on the screen, or the camera or microphone may be on.
function held() {
  return !corner.busy && Boolean(session || !chat.empty || $('text').value || keyboard.open || large.on || language !== 'zh'
    || document.querySelector('#camera[open], #microphone[open]'));
}

// True while the machine works or listens; a request that waits for a token waits for nobody who stands here.
function waiting() {
  const listening = $('microphone').open && !$('microphone-live').hidden;
  return listening || kiosk.phase !== 'idle' || (running > 0 && !$('token').open);
}

// Whoever comes next starts with what the shop speaks; whoever starts over by hand is still there.
function leave({ quiet = false } = {}) {
  startOver({ quiet });
  if (language !== 'zh') speak('zh');
}

// Wipes the page, the process's memory of the session, and the clipboard; says that it is done when it is.
async function startOver({ closing = false, quiet = false } = {}) {
  const [old, late] = [session, [...asked]];
  session = null;
  visit.abort();
  visit = new AbortController();
  setBusy(-running);
  closeDialogs();
  forgetTyping();
  chat.wipe();
  forget($('text'));
  large.set(false);
  looking.wipe();
  kiosk.wipe();
  sight.attend(null, language);
  clipboard.wipe();
  if (closing) {
    forgetting.last(old);
    return;
  }
  const done = await Promise.all([!old || forgetting.now(old), ...late]);
  if (chat.empty && !quiet) toast(done.every(Boolean) ? words().cleared : words().wiped(forgetting.minutes)); // else somebody is here
}

function closeDialogs() {
  document.querySelectorAll('dialog[open]:not(#token, #technician)').forEach((dialog) => dialog.close());
}

async function speak(next) {
  language = next;
  write(next, words());
  health.translate();
  keyboard.translate();
  kiosk.translate();
  sight.translate();
  sight.attend(session, next);
  abilities.show();
  for (let pause = 1000; language === next; pause = Math.min(pause * 2, 10000)) {
    try {
      const greeting = await api.greeting(next);
      if (language === next) {
        chat.welcome(greeting);
        idle.after(greeting.idle_s);
        attract.after(greeting.attract_s);
        forgetting.itself(greeting.forget_s);
        keyboard.asks = greeting.asks ?? {};
      }
      return;
    } catch {
      await new Promise((resolve) => { setTimeout(resolve, pause); }); // the appliance may still be starting
    }
  }
}

$('form').addEventListener('submit', (event) => {
  event.preventDefault();
  keyboard.flush();
  const text = $('text').value.trim();
  if (!text || running) return;
  $('text').value = '';
  forgetTyping();
  ask({ text });
});
for (const id of ['photo', 'show']) $(id).addEventListener('click', () => { if (!running) camera.show(); });
$('speak').addEventListener('click', () => {
  if ($('speak').getAttribute('aria-disabled') === 'true') {
    microphone.explain(abilities.asr, language);
  } else if (!running) {
    if (kiosk.on) listen();
    else microphone.show();
  }
});

$('restart').addEventListener('click', () => startOver());
// A page that is closed or left takes everything with it; one that comes back from a cache begins anew.
addEventListener('pagehide', () => startOver({ closing: true }));
addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
$('state').addEventListener('click', () => $('health').showModal());
$('zh').addEventListener('click', () => speak('zh'));
$('en').addEventListener('click', () => speak('en'));
document.querySelectorAll('[data-close]').forEach((button) => {
  button.addEventListener('click', () => button.closest('dialog').close());
});
document.querySelectorAll('dialog:not(#token)').forEach((dialog) => {
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
});
$('log').hidden = true;

withinReach();
speak('zh');
health.run();
