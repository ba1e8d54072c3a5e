// Elements: made in code, so that no text ever becomes markup, and kept over redraws.

/** Return the element of the page with an id. */
export const at = (id) => document.getElementById(id);

/** Return a new element with a class and children. */
export function make(tag, name = "", ...children) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  node.append(...children);
  return node;
}

/** Set a text only when it is another one. */
export function tell(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Show or hide an element, and say whether it is shown. */
export function show(node, isShown) {
  node.hidden = !isShown;
  return isShown;
}

const kept = new WeakMap();

/**
 * Make `parent` show `items` in their order. A child stays the same element as long as the key of
 * its item is there: `create()`, called once a key, returns `{node, update(item), end?()}`.
 */
export function keyed(parent, items, keyOf, create) {
  const known = kept.get(parent) ?? new Map();
  const now = new Map();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = known.get(key) ?? create();
    now.set(key, child);
    if (child.node === place) place = place.nextElementSibling;
    else parent.insertBefore(child.node, place);
    child.update(item);
  }
  for (const [key, child] of known) {
    if (now.has(key)) continue;
    child.node.remove();
    child.end?.();
  }
  kept.set(parent, now);
}

const STEP_MS = 240;
const ticking = new WeakMap();

/** Let a number run to `value` where the reader sees it change. */
export function tick(node, value, format) {
  const known = ticking.get(node);
  if (known?.to === value && known.format === format) return;
  const from = known && known.format === format ? known.shown : value;
  const state = { from, to: value, shown: from, format, since: performance.now() };
  ticking.set(node, state);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden;
  const step = () => {
    if (ticking.get(node) !== state) return;
    const share = still ? 1 : Math.min(1, (performance.now() - state.since) / STEP_MS);
    state.shown = share === 1 ? value : Math.round(from + (value - from) * share);
    tell(node, format(state.shown));
    if (share < 1) requestAnimationFrame(step);
  };
  step();
}
