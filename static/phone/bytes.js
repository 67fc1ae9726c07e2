/** Bytes and their spellings, as docs/phone-protocol.md section 1 names them. */

export function utf8(text) {
  return new TextEncoder().encode(text);
}

export function random(size) {
  return crypto.getRandomValues(new Uint8Array(size));
}

export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** RFC 4648 section 5 without padding. */
export function toBase64url(bytes) {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function fromBase64url(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

export function xor(left, right) {
  if (left.length !== right.length) throw new RangeError("Not of one length.");
  return left.map((byte, index) => byte ^ right[index]);
}

export async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
