/**
 * Keys under a PIN: docs/phone-protocol.md section 2. Nothing here can tell a right PIN from a wrong one,
 * so that a copied phone cannot be tried through; the server tells, and counts.
 */

import { random, utf8, xor } from "./bytes.js";

const ROUNDS = 600_000;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const INFO = "client-portal phone mask v1|";
const HMAC = { name: "HMAC", hash: "SHA-256", length: 256 };

export const PIN_LABEL = "pin";
export const ocraLabel = (user) => `ocra|${user}`;

export function makeSecret() {
  return crypto.subtle.generateKey(HMAC, false, ["sign"]);
}

export const makeSalt = () => random(SALT_BYTES);
export const makeRawKey = () => random(KEY_BYTES);

/**
 * The masks of a PIN, by label. Slow once; then as many labels as are wanted.
 *
 * @param {string} pin as typed
 * @param {{salt: Uint8Array, secret: CryptoKey}} device
 * @returns {Promise<(label: string, key: Uint8Array) => Promise<Uint8Array>>} masks, and unmasks
 */
export async function masker(pin, { salt, secret }) {
  const bound = await crypto.subtle.sign("HMAC", secret, await stretch(pin, salt));
  const source = await crypto.subtle.importKey("raw", bound, "HKDF", false, ["deriveBits"]);
  return async (label, key) => {
    const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: utf8(INFO + label) };
    return xor(key, new Uint8Array(await crypto.subtle.deriveBits(how, source, 8 * KEY_BYTES)));
  };
}

export async function stretch(pin, salt) {
  const typed = await crypto.subtle.importKey("raw", utf8(pin.normalize("NFC")), "PBKDF2", false, [
    "deriveBits",
  ]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS };
  return new Uint8Array(await crypto.subtle.deriveBits(how, typed, 8 * KEY_BYTES));
}
