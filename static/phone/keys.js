/** The keys of this phone: made, kept masked, and opened for one use at a time. */

import * as biometrics from "./biometrics.js";
import { makeRawKey, makeSalt, makeSecret, masker, ocraLabel, PIN_LABEL } from "./masking.js";
import { makeKey, pinProof, publicPoint } from "./signing.js";
import { importKey, ocra } from "../js/ocra.js";
import { toBase64url } from "./bytes.js";

/** New keys for a phone that is not active yet; `id` is "new" until the portal names it. */
export async function makePhone() {
  const [keys, secret] = await Promise.all([makeKey(), makeSecret()]);
  return { id: "new", keys, secret, salt: makeSalt(), users: [] };
}

export async function publicKeyOf(phone) {
  return toBase64url(await publicPoint(phone.keys));
}

export { makeRawKey };

/** The PIN key under a PIN, as it is kept. */
export async function maskPinKey(phone, pin, pinKey) {
  return (await masker(pin, phone))(PIN_LABEL, pinKey);
}

/** A username as it is kept: its OCRA key under the PIN, and under the face or finger where that is possible. */
export async function keepUser(phone, pin, wrapKey, ocraKey, { user, username, person, serial, suite }) {
  const masked = await (await masker(pin, phone))(ocraLabel(user), ocraKey);
  const wrapped = wrapKey ? await biometrics.wrap(wrapKey, ocraKey) : null;
  return { user, username, person, serial, suite, masked, wrapped };
}

/** Proves a request with the PIN; whether it is the right one, the portal says. */
export function proveByPin(phone, pin) {
  return async (text) => {
    const pinKey = await (await masker(pin, phone))(PIN_LABEL, phone.pinKey);
    const proof = await pinProof(pinKey, text);
    pinKey.fill(0);
    return proof;
  };
}

/** Proves a request with face or finger. */
export function proveByBiometrics(phone) {
  return async (text) => (await biometrics.confirm(phone.credential, text)).proof;
}

/** The response to a challenge, with the OCRA key opened by the PIN. A wrong PIN gives a wrong response. */
export async function passcodeByPin(phone, user, pin, question) {
  const key = await (await masker(pin, phone))(ocraLabel(user.user), user.masked);
  return passcode(user.suite, key, question);
}

/** The same, opened by face or finger. */
export async function passcodeByBiometrics(phone, user, question) {
  const wrapKey = await biometrics.unlock(phone.credential);
  return passcode(user.suite, await biometrics.unwrap(wrapKey, user.wrapped), question);
}

async function passcode(suite, key, question) {
  const imported = await importKey(suite, key);
  key.fill(0);
  return ocra(suite, imported, question);
}

/** All keys under a new PIN. The OCRA keys come out with the old one, which the portal has confirmed. */
export async function underNewPin(phone, oldPin, newPin, pinKey) {
  const [old, fresh] = [await masker(oldPin, phone), await masker(newPin, phone)];
  const users = [];
  for (const user of phone.users) {
    const label = ocraLabel(user.user);
    users.push({ ...user, masked: await fresh(label, await old(label, user.masked)) });
  }
  return { ...phone, pinKey: await fresh(PIN_LABEL, pinKey), users };
}
