// Arrow keys go from button to button by where they stand: for kiosks with a pad of arrows, and for switches.

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function middle(element) {
  const box = element.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
}

// Moves the focus within `panel`; its buttons are one stop for the Tab key.
export function walk(panel, event) {
  const move = MOVES[event.key];
  const from = document.activeElement;
  if (!move || !panel.contains(from)) return;
  event.preventDefault();
  const [x, y] = middle(from);
  const buttons = [...panel.querySelectorAll('button')];
  let best = [Infinity, null];
  for (const button of buttons) {
    const [toX, toY] = middle(button);
    const ahead = (toX - x) * move[0] + (toY - y) * move[1];
    const away = ahead + 3 * (Math.abs((toX - x) * move[1]) + Math.abs((toY - y) * move[0])); // aside counts for more
    if (button !== from && button.checkVisibility() && ahead > 4 && away < best[0]) best = [away, button];
  }
  if (!best[1]) return;
  for (const button of buttons) button.tabIndex = button === best[1] ? 0 : -1;
  best[1].focus();
}
