// Controls within everybody's reach: an upright screen is tall, so what stands in the bar moves down to the dock there.
// They are moved in the document and not by the style sheet alone, so that the Tab key goes where the eye goes.

import { $ } from './dom.js';

export function withinReach() {
  const upright = matchMedia('(orientation: portrait)');
  const place = () => {
    const home = upright.matches ? $('dock') : $('bar');
    if ($('tools').parentElement === home) return;
    const focused = document.activeElement;
    home.append($('tools'));
    if ($('tools').contains(focused)) focused.focus();
  };
  upright.addEventListener('change', place);
  place();
}
