// Behind the corner: the PIN first, then the customer's page is wiped, then the service page, until it is left.

import { make } from '../dom.js';
import { Pad } from './pad.js';
import { STRINGS } from './strings.js';

const STYLE = '/assets/technician/technician.css';

function styled() {
  if (document.querySelector(`link[href="${STYLE}"]`)) return undefined;
  return new Promise((loaded) => {
    const link = make('link', { rel: 'stylesheet', href: STYLE, onload: loaded, onerror: () => {
      link.remove(); // it is asked for again the next time
      loaded();
    } });
    document.head.append(link);
  });
}

export async function enter(api, customer, offered) {
  await styled();
  const language = customer.language();
  const pad = new Pad(api, STRINGS[language], language, offered);
  const opened = await pad.ask(customer.session);
  if (!opened) return;
  customer.emptied(pad.session);
  const { ServicePage } = await import('./page.js');
  await new ServicePage(api, opened, language).left;
}
