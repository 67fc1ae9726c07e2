/** What fields do while somebody types: hints that come and go, PINs that can be shown. */

import * as numbers from "./numbers.js";
import * as pins from "./pins.js";
import { local } from "./screens.js";
import { Refused } from "./api.js";
import { say } from "./words.js";

/** Show the PIN's slips while it is typed, and a button that makes it visible. */
export function pinField(root, rules = { shortest: 4, longest: 6 }, { isNew = true } = {}) {
  const field = root.querySelector("[name=pin]");
  const button = root.querySelector("[data-show-pin]");
  button.addEventListener("click", () => {
    const isShown = field.type === "text";
    field.type = isShown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!isShown));
  });
  const judge = () => (field.value ? pins.slip(field.value, rules) : "");
  if (isNew) hint(root, field, judge, rules);
  return {
    get value() {
      return field.value;
    },
    /** The PIN, or a refusal with the first slip. */
    taken() {
      const slip = pins.slip(field.value, rules);
      if (slip && (isNew || slip !== "pin_run")) throw new Refused(0, local(slip, rules));
      return field.value;
    },
  };
}

export function numberField(root) {
  const field = root.querySelector("[name=national]");
  hint(root, field, () => numbers.slip(field.value));
  return {
    taken() {
      const slip = numbers.slip(field.value);
      if (slip) throw new Refused(0, local(slip));
      return field.value.trim();
    },
  };
}

function hint(root, field, judge, values) {
  const place = root.querySelector(`[data-hint="${field.name}"]`);
  field.addEventListener("input", () => {
    const slip = judge();
    const text = slip ? say(slip, values) : "";
    if (place.textContent !== text) place.textContent = text;
    field.toggleAttribute("data-slip", Boolean(slip));
  });
}

/** Digits only, however they were typed or pasted: "204 718" is 204718. */
export const digits = (field) => field.value.replace(/\D/g, "");
