/**
 * Where screens lead. A place is entered by its name, so that no module imports one that imports it, and what
 * the first screen does not need is loaded when somebody goes there (offline: from the service worker).
 */

const places = new Map();
const loaders = new Map();

export function place(name, enter) {
  places.set(name, enter);
}

/** `load` imports a module that calls `place` with these names. */
export function placesOf(names, load) {
  for (const name of names) loaders.set(name, load);
}

export async function go(name, ...values) {
  if (!places.has(name)) await loaders.get(name)();
  return places.get(name)(...values);
}
