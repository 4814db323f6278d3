// Elements. What comes from the server goes in as text, never as markup.

/** An element with properties, listeners (`on...`), attributes and children. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** Writes a text, if it is another: what is selected stays selected. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The rows of each container, by their keys. */
const lists = new WeakMap();

/**
 * Makes the children of an element those of a list: one for each item, in its order. A child stays as long as its item does, so
 * that focus and selection do. `make` returns `{ element, update }`.
 */
export function keyed(container, items, key, make) {
  if (!lists.has(container)) lists.set(container, new Map());
  const known = lists.get(container);
  const present = new Set();
  let place = container.firstElementChild;
  for (const item of items) {
    const id = key(item);
    present.add(id);
    let row = known.get(id);
    if (!row) known.set(id, (row = make(item)));
    row.update(item);
    if (row.element === place) place = place.nextElementSibling;
    else container.insertBefore(row.element, place);
  }
  for (const [id, row] of known) {
    if (present.has(id)) continue;
    row.element.remove();
    known.delete(id);
  }
}
