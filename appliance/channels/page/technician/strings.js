// The service page's words by language.

import { CHINESE } from './chinese.js';
import { ENGLISH } from './english.js';

export const STRINGS = { zh: CHINESE, en: ENGLISH };
