/** Slips in a phone number, while it is typed. The server judges it; this only names what is seen at once. */

const TRUNK_PREFIX = /^0/;

/** The name of the first slip in a national number, or "" (KB2278 note 1). */
export function slip(typed) {
  const text = typed.trim();
  if (!text) return "";
  if (text.startsWith("+") || text.startsWith("00")) return "number_plus";
  if (/\s/.test(text)) return "number_blank";
  if (/[^0-9]/.test(text)) return "number_sign";
  if (TRUNK_PREFIX.test(text)) return "number_trunk";
  return "";
}
