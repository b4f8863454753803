// Presses of the drawn keys, however they are made: by finger, by mouse, by a real Enter key, or by a screen reader.

// These may take the keyboard away. They act when the finger is lifted: else the tap would end on what lies beneath.
const LEAVING = new Set(['{send}', '{close}']);

// True when simple-keyboard's own report is to be acted upon; a key that is held comes without an event: erasing alone repeats.
export const reported = (key, event) => !LEAVING.has(key) && Boolean(event || key === '{bksp}');

// Calls `press(key)` for the presses of which simple-keyboard hears nothing: clicks without a pointer, and what LEAVING names.
export function clicked(panel, press) {
  let down = null;
  const button = (event) => event.target.closest('.hg-button');
  panel.addEventListener('pointerdown', (event) => { down = button(event); }, { capture: true });
  panel.addEventListener('click', (event) => {
    const name = button(event)?.dataset.skbtn;
    if (event.detail === 0 ? name : LEAVING.has(name) && button(event) === down) press(name);
  });
}
