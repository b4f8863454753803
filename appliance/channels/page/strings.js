// The page's own words by language, and the halves of what the appliance says in both.

import { CHINESE } from './chinese.js';
import { ENGLISH } from './english.js';

export const STRINGS = { zh: CHINESE, en: ENGLISH };

// Title and remedy of a problem in a customer's words; `asked` is photo, speech or words.
export function explained(words, code, asked) {
  if (code === 'lost' || code === 'slow') return [words[code], words.lostRemedy];
  return words.problems[asked]?.[code] ?? words.problems.words[code] ?? words.failed;
}

// Why an ability is as it is, "subject: 中文 / English" on each line: the lines in one language.
export function statements(reason, language) {
  return reason.split('\n').filter(Boolean).map((line) => {
    const [subject] = line.match(/^(?:[\w.-]+: )*/);
    return subject + half(line.slice(subject.length), language);
  });
}

// The appliance writes both languages into one text, "中文 / English": the half that is wanted.
export function half(text, language) {
  const at = text.indexOf(' / ');
  if (at < 0) return text;
  return language === 'en' ? text.slice(at + 3) : text.slice(0, at);
}
