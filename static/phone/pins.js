/** The form of a PIN, while it is typed (KB2269). The server checks its content. */

const INVISIBLE = /[\p{C}\p{Z}]/u;

/** What is still wrong: `pin_blank`, `pin_short`, `pin_long`, `pin_run`, or "". */
export function slip(typed, { shortest, longest }) {
  const characters = Array.from(typed.normalize("NFC"));
  if (INVISIBLE.test(typed)) return "pin_blank";
  if (characters.length < shortest) return "pin_short";
  if (characters.length > longest) return "pin_long";
  if (isRun(characters)) return "pin_run";
  return "";
}

/** Is each character the same step from the one before: 1111, 1234, fedc? */
function isRun(characters) {
  const steps = characters.slice(1).map((c, at) => c.codePointAt(0) - characters[at].codePointAt(0));
  return steps.every((step) => step === steps[0]) && Math.abs(steps[0]) <= 1;
}
