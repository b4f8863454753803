// The page's own words, put where the document says that they belong.

import { $ } from './dom.js';

export function write(language, strings) {
  document.documentElement.lang = language === 'en' ? 'en' : 'zh-CN';
  for (const code of ['zh', 'en']) $(code).setAttribute('aria-pressed', String(code === language));
  document.querySelectorAll('[data-t]').forEach((element) => { element.textContent = strings[element.dataset.t]; });
  document.querySelectorAll('[data-t-label]').forEach((element) => { element.setAttribute('aria-label', strings[element.dataset.tLabel]); });
  document.querySelectorAll('[data-t-placeholder]').forEach((element) => { element.placeholder = strings[element.dataset.tPlaceholder]; });
}
