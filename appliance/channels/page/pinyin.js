// Pinyin without tones: syllables, the characters that they write, and the words that letters may stand for.
// The characters of each syllable come from simple-keyboard-layouts, the most frequent first.

import chinese from './vendor/simple-keyboard-layouts-3.4.265/chinese.js';

const CHARACTERS = new Map(Object.entries(chinese.layoutCandidates).map(([syllable, row]) => [syllable, row.split(' ')]));
for (const [typed, known] of [['lue', 'lve'], ['nue', 'nve']]) CHARACTERS.set(typed, CHARACTERS.get(known));

const LONGEST = Math.max(...[...CHARACTERS.keys()].map((syllable) => syllable.length));
const BEGINNINGS = new Set([...CHARACTERS.keys()].flatMap((s) => [...s].map((_, i) => s.slice(0, i + 1))));
const DOUBLE = new Set(['zh', 'ch', 'sh']);
const HAN = /\p{Script=Han}+/gu;
const MOST = 90;

const readings = new Map();
for (const [syllable, row] of CHARACTERS) {
  for (const character of row) {
    if (readings.has(character)) readings.get(character).push(syllable);
    else readings.set(character, [syllable]);
  }
}

// Pieces that letters fall into, "xiyiye" into xi, yi, ye and "xyy" into x, y, y: as few cut-off syllables as can be,
// then as few pieces. An apostrophe divides. `null` where a letter begins no syllable.
export function pieces(letters) {
  return letters.split("'").reduce((all, part) => {
    const found = all && (part ? fewest(part) : []);
    return found && [...all, ...found];
  }, []);
}

function fewest(part) {
  const best = [[0, []]]; // by letters used: cost, pieces
  for (let end = 1; end <= part.length; end += 1) {
    for (let start = Math.max(0, end - LONGEST); start < end; start += 1) {
      const piece = part.slice(start, end);
      if (best[start] && BEGINNINGS.has(piece)) {
        // The last syllable may still be on its way; a cut-off one before it stands for its first letter.
        const cut = !CHARACTERS.has(piece);
        const initial = piece.length === 1 || DOUBLE.has(piece);
        if (!cut || initial || end === part.length) {
          const cost = best[start][0] + 1 + (cut ? (end === part.length ? 10 : 100) : 0);
          if (!best[end] || cost < best[end][0]) best[end] = [cost, [...best[start][1], piece]];
        }
      }
    }
  }
  return best[part.length]?.[1] ?? null;
}

// Characters for the first syllable of `letters`, as { text, used }: the division that leaves the best rest comes first.
export function characters(letters) {
  const part = letters.split("'", 1)[0];
  const ends = [];
  for (let end = Math.min(LONGEST, part.length); end > 0; end -= 1) {
    if (CHARACTERS.has(part.slice(0, end))) ends.push(end);
  }
  const first = pieces(letters)?.[0]?.length;
  ends.sort((a, b) => (b === first) - (a === first) || b - a);
  const whole = ends.flatMap((end) => CHARACTERS.get(part.slice(0, end)).map((text) => ({ text, used: used(letters, end) })));
  const open = part && !CHARACTERS.has(part.slice(0, first ?? 1)) ? beginning(part.slice(0, first ?? 1)) : [];
  const seen = new Set();
  return [...open, ...whole].filter(({ text }) => !seen.has(text) && seen.add(text)).slice(0, MOST);
}

// Characters of all syllables that begin so, the most frequent of each, then the second of each, and so on.
function beginning(start) {
  const rows = [...CHARACTERS].filter(([syllable]) => syllable.startsWith(start)).map(([, row]) => row);
  const found = [];
  for (let rank = 0; found.length < MOST && rows.some((row) => row.length > rank); rank += 1) {
    found.push(...rows.filter((row) => row.length > rank).map((row) => ({ text: row[rank], used: start.length })));
  }
  return found;
}

const used = (letters, end) => (letters[end] === "'" ? end + 1 : end);

// True when all of `letters` spell all of `word`: syllables, first letters, or the last syllable begun.
function spelt(word, letters) {
  if (!letters) return !word;
  if (letters[0] === "'") return spelt(word, letters.slice(1));
  if (!word) return false;
  const rest = word.slice(1);
  return (readings.get(word[0]) ?? []).some((syllable) => {
    if (letters.startsWith(syllable) && spelt(rest, letters.slice(syllable.length))) return true;
    if (syllable.startsWith(letters)) return !rest; // the last syllable is on its way, or is a first letter alone
    const initial = DOUBLE.has(syllable.slice(0, 2)) && letters.startsWith(syllable.slice(0, 2)) ? 2 : 1;
    if (letters[0] !== syllable[0]) return false;
    return spelt(rest, letters.slice(initial)) || (initial === 2 && spelt(rest, letters.slice(1)));
  });
}

// Words in `texts` that all of `letters` may stand for: 洗衣液 for xiyiye, xyy, xiyy and xiyiy; where no text is such a
// word, parts of them: 在哪 of 洗手间在哪 for zaina.
export function wordsFor(letters, texts) {
  const most = letters.replaceAll("'", '').length;
  const found = new Map(); // word: where in its text it begins
  for (const text of texts) {
    for (const [run] of text.matchAll(HAN)) {
      for (let start = 0; start < run.length; start += 1) {
        for (let end = start + 1; end <= Math.min(run.length, start + most); end += 1) {
          const word = run.slice(start, end);
          if (spelt(word, letters) && !(found.get(word) <= start)) found.set(word, start);
        }
      }
    }
  }
  const words = [...found].sort(([, a], [, b]) => a - b).map(([word]) => word);
  const whole = words.filter((word) => word.length > 1 && texts.includes(word));
  return whole.length ? whole : words;
}
