// Asks for the access token, where the appliance wants one.

import { $, forget, toast } from './dom.js';

let asking = null; // several requests may meet a 401 at once: they share one dialog

export function tokens(words) {
  $('token').addEventListener('cancel', (event) => event.preventDefault());
  return (wrong) => {
    asking ??= new Promise((resolve) => {
      if (wrong) toast(words().tokenWrong);
      $('token-form').addEventListener('submit', () => {
        const text = $('token-text').value.trim();
        forget($('token-text'));
        asking = null;
        resolve(text);
      }, { once: true });
      if (!$('token').open) $('token').showModal();
    });
    return asking;
  };
}
