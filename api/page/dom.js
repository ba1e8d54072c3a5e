// Elements: made in code, so that no text ever becomes markup, and kept over redraws.

/** Return a new element: `props` are properties, or attributes when their name has a dash. */
export function make(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

/** Return the element of the page with an id. */
export const at = (id) => document.getElementById(id);

/** Show or hide an element, and say whether it is shown. */
export function show(node, isShown) {
  node.hidden = !isShown;
  return isShown;
}

/** Set a text only when it is another one: a screen reader is told of each change. */
export function tell(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const kept = new WeakMap();

/**
 * Make `parent` show `items` in their order. A child stays the same element, with its focus, as long
 * as its item's key is there: `create(item)` returns `{node, update(item)}`.
 */
export function keyed(parent, items, keyOf, create) {
  const known = kept.get(parent) ?? new Map();
  const now = new Map();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = known.get(key) ?? create(item);
    child.update(item);
    now.set(key, child);
    if (child.node === place) place = place.nextElementSibling;
    else parent.insertBefore(child.node, place);
  }
  for (const [key, child] of known) if (!now.has(key)) child.node.remove();
  kept.set(parent, now);
}
