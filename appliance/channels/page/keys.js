// The on-screen keyboard's layouts, as simple-keyboard takes them: rows of keys, names in braces for keys without a letter.

export const LAYOUTS = {
  zh: [
    'q w e r t y u i o p',
    'a s d f g h j k l {clear}',
    "' z x c v b n m {bksp}",
    '{symbols} {language} ， {space} 。 ？ {close} {send}',
  ],
  en: [
    'q w e r t y u i o p',
    'a s d f g h j k l {clear}',
    "{shift} z x c v b n m {bksp}",
    '{symbols} {language} , {space} . ? {close} {send}',
  ],
  shift: [
    'Q W E R T Y U I O P',
    'A S D F G H J K L {clear}',
    '{shift} Z X C V B N M {bksp}',
    '{symbols} {language} , {space} . ? {close} {send}',
  ],
  symbols: [
    '1 2 3 4 5 6 7 8 9 0',
    '- / : @ # % & + = {clear}',
    "， 。 ？ ！ 、 ( ) ' {bksp}",
    '{letters} {language} . {space} ¥ * {close} {send}',
  ],
  number: ['1 2 3 {bksp}', '4 5 6 {clear}', '7 8 9 {letters}', '- 0 {close} {send}'],
  code: [
    '1 2 3 4 5 6 7 8 9 0',
    'Q W E R T Y U I O P',
    'A S D F G H J K L {clear}',
    '{digits} Z X C V B N M - {bksp}',
    '{language} {close} {send}',
  ],
};

// Which pad suits an answer, by the entity type that fills it: digits with a dash, or digits and letters.
export const PADS = {
  tracking_no: 'code', order_no: 'code', ticket_no: 'code', tax_no: 'code',
  pickup_code: 'number', phone: 'number', quantity: 'number', weight: 'number', amount: 'number',
};

const picture = (name) => `<svg aria-hidden="true"><use href="#i-${name}"/></svg>`;

// What stands on the keys that are not letters.
export function display(words, { typing, layout, code }) {
  return {
    '{bksp}': picture('erase'),
    '{shift}': picture(layout === 'shift' ? 'shift-on' : 'shift'),
    '{close}': picture('lower'),
    '{send}': `${picture('send')}<b>${words.send}</b>`,
    '{clear}': words.clear,
    '{space}': words.space,
    '{symbols}': '123',
    '{letters}': typing === 'zh' && !code ? words.pinyin : 'ABC',
    '{digits}': '123',
    '{language}': typing === 'zh' ? '<b>中</b>/En' : '中/<b>En</b>',
    "'": layout === 'zh' ? words.divide : "'",
  };
}

// What they are called by a screen reader.
export function labels(words) {
  const names = {
    '{bksp}': words.erase, '{shift}': words.shift, '{close}': words.close, '{send}': words.send, '{clear}': words.clearAll,
    '{space}': words.space, '{symbols}': words.symbols, '{letters}': words.letters, '{digits}': words.symbols,
    '{language}': words.language,
  };
  return Object.entries(names).map(([buttons, value]) => ({ attribute: 'aria-label', value, buttons }));
}
