// What the appliance says of itself: the machine, models and backends with their reasons, power and heat.

import { make } from '../dom.js';
import { statements } from '../strings.js';

const AGAIN_MS = 3000;

// A list of names and values; a value may be text or an element.
export function rows(pairs) {
  return make('dl', { class: 't-rows' }, ...pairs.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
}

export function note(text, kind = '') {
  return make('p', { class: `t-note ${kind}` }, text);
}

// What the appliance says of a thing: several statements stand one below the other.
export function said(text, language) {
  const lines = statements(text ?? '', language);
  return lines.length > 1 ? make('div', {}, ...lines.map((line) => make('p', {}, line))) : lines[0] ?? '—';
}

// Any block of the status: nested values by the names that lead to them, in words where there are some.
export function flat(page, value, path = []) {
  const { words, language } = page;
  const name = path.map((part) => words.names[part] ?? part).join(' · ');
  if (value === null || value === undefined || value === '') return [[name, '—']];
  if (Array.isArray(value)) {
    if (value.every((each) => typeof each !== 'object')) return [[name, value.join(words.comma) || '—']];
    return value.flatMap((each, i) => flat(page, each, [...path, String(i + 1)]));
  }
  if (typeof value === 'object') {
    if (typeof value.zh === 'string' && typeof value.en === 'string') return [[name, value[language]]];
    const all = Object.entries(value);
    return all.length ? all.flatMap(([part, each]) => flat(page, each, [...path, part])) : [[name, '—']];
  }
  if (typeof value === 'boolean') return [[name, value ? words.isSo : words.isNot]];
  return [[name, typeof value === 'string' ? said(value, language) : String(value)]];
}

export function block(page, title, value) {
  return make('section', { class: 't-section' }, make('h4', {}, title),
    value === undefined || value === null ? note(page.words.notReported) : rows(flat(page, value)));
}

// Draws what `draw(summary)` makes of the summary, anew every few seconds, and says when it cannot be had.
function kept(page, draw) {
  const body = make('div', { class: 't-facts' }, note(page.words.asking));
  let timer = 0;
  let over = false;
  const look = async () => {
    const summary = await page.summary();
    if (over) return;
    if (summary) body.replaceChildren(...draw(summary));
    else body.replaceChildren(note(page.words.unreachable, 'is-bad'));
    timer = setTimeout(look, AGAIN_MS);
  };
  look();
  return { body, close: () => { over = true; clearTimeout(timer); } };
}

const size = (page, part) => (part ? page.words.freeOf(part.free, part.total) : '—');

export function machine(page) {
  const { words } = page;
  return kept(page, ({ status, machine: at }) => [
    rows([
      [words.version, `${status.version ?? '—'} · ${status.pack ?? '—'}`],
      [words.uptime, status.uptime_s === undefined ? '—' : words.hours(status.uptime_s / 3600)],
      [words.ready, status.ready ? words.yes : words.no],
      [words.clock, `${at.time} · ${words.browserClock(new Date().toLocaleString())}`],
      [words.disk, size(page, at.disk_mb)],
      [words.memory, size(page, at.memory_mb)],
      [words.load, `${at.load ?? '—'} / ${at.cores ?? '—'}`],
      [words.system, `${at.kernel} · ${at.architecture} · Python ${at.python}`],
      [words.window, `${innerWidth} × ${innerHeight} · ${navigator.userAgent}`],
    ]),
    block(page, words.service, status.service),
    block(page, words.events, status.events),
    block(page, words.admitted, status.admitted),
  ]);
}

export function models(page) {
  const { words, language } = page;
  const feature = (f) => make('section', { class: 't-section', 'data-feature': f.name },
    make('h4', { 'data-state': f.state }, make('span', { class: 'dot', 'aria-hidden': 'true' }), words.features[f.name] ?? f.name,
      make('span', { class: 't-badge', 'data-verdict': { ready: 'pass', failed: 'fail' }[f.state] ?? 'none' }, words.states[f.state] ?? f.state)),
    rows([
      [words.backend, f.backend],
      ...(f.models?.length ? [[words.modelFiles, f.models.join(', ')]] : []),
      ...(f.reason ? [[words.reason, said(f.reason, language)]] : []),
    ]));
  const network = (n) => make('section', { class: 't-section' }, make('h4', {}, n.network), rows([
    [words.backend, `${n.name} · ${n.provider || '—'} · ${n.version || '—'}`],
    [words.file, `${n.file || '—'} · ${n.precision || '—'} · sha256 ${n.sha256 || '—'}`],
    [words.runs, words.runsOf(n.runs ?? 0, n.failures ?? 0, n.switches ?? 0)],
    ...(n.fallback ? [[words.reason, said(n.fallback, language)]] : []),
    ...(n.warning ? [[words.warning, said(n.warning, language)]] : []),
  ]));
  return kept(page, ({ status }) => [
    ...(status.features ?? []).map(feature),
    make('h4', { class: 't-part' }, words.networks),
    ...(status.networks?.length ? status.networks.map(network) : [note(words.noNetworks)]),
  ]);
}

export function power(page) {
  const { words } = page;
  return kept(page, ({ status }) => [
    block(page, words.device, status.device),
    block(page, words.governor, status.governor),
  ]);
}
