/** Where screens lead. A place is entered by its name, so that no module imports one that imports it. */

const places = new Map();

export function place(name, enter) {
  places.set(name, enter);
}

export function go(name, ...values) {
  return places.get(name)(...values);
}
