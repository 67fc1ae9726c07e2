/** What a phone signs, and how: docs/phone-protocol.md sections 3 and 4. Vectors: tests/vectors/phone.json. */

import { hex, random, sha256, toBase64url, utf8 } from "./bytes.js";

const VERSION = "client-portal phone request v1";
const KEY = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };
const NONCE_BYTES = 16;

/** The phone key: its private half never leaves the browser. */
export function makeKey() {
  return crypto.subtle.generateKey(KEY, false, ["sign", "verify"]);
}

/** The public half as an uncompressed point. */
export async function publicPoint({ publicKey }) {
  return new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
}

export async function requestText({ method, path, body, phone, time, nonce }) {
  const digest = hex(await sha256(body));
  return utf8([VERSION, method, path, digest, phone, time, nonce].join("\n"));
}

/** The text of a request sent now, and the header that signs it. */
export async function sign({ method, path, body, phone, time }, privateKey) {
  const nonce = toBase64url(random(NONCE_BYTES));
  const text = await requestText({ method, path, body, phone, time, nonce });
  const signature = new Uint8Array(await crypto.subtle.sign(SIGNATURE, privateKey, text));
  return { text, authorization: `Phone ${phone}:${time}:${nonce}:${toBase64url(signature)}` };
}

/** The proof that the PIN was right; `pinKey` is the unmasked PIN key. */
export async function pinProof(pinKey, text) {
  const key = await crypto.subtle.importKey("raw", pinKey, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return `pin ${toBase64url(new Uint8Array(await crypto.subtle.sign("HMAC", key, text)))}`;
}
