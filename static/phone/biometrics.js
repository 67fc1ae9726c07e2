/**
 * Face or fingerprint: a WebAuthn platform authenticator. It proves requests, and where it has the PRF
 * extension it also opens the OCRA keys without a network. Without PRF those stay behind the PIN: a key that
 * merely lies in the browser would be usable by whoever copied the profile.
 */

import { fromBase64url, random, sha256, toBase64url, utf8 } from "./bytes.js";

const PRF_INPUT = "client-portal phone ocra v1";
const WRAP_INFO = "client-portal phone wrap v1";
const ES256 = -7;
const TIMEOUT_MS = 60_000;
const IV_BYTES = 12;

/** The person, or the phone, did not confirm. */
export class NotConfirmed extends Error {
  name = "NotConfirmed";
}

/** Can this browser, at this address, ask for a face or fingerprint? */
export async function isAvailable(rpId) {
  const here = location.hostname;
  if (!window.PublicKeyCredential || !(here === rpId || here.endsWith(`.${rpId}`))) return false;
  return PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable().catch(() => false);
}

/**
 * Register with what `activation/start` answered.
 *
 * @returns {Promise<{registration: object, credential: {id, rpId, hasPrf}, wrapKey: CryptoKey|null}>}
 */
export async function register({ rp, user, challenge }) {
  const made = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        rp,
        user: { ...user, id: fromBase64url(user.id) },
        challenge: fromBase64url(challenge),
        pubKeyCredParams: [{ type: "public-key", alg: ES256 }],
        authenticatorSelection: {
          authenticatorAttachment: "platform",
          residentKey: "discouraged",
          userVerification: "required",
        },
        attestation: "none",
        timeout: TIMEOUT_MS,
        extensions: { prf: {} },
      },
    }),
  );
  const hasPrf = Boolean(made.getClientExtensionResults().prf?.enabled);
  return { registration: plain(made), credential: { id: made.id, rpId: rp.id, hasPrf } };
}

/** The proof over a request's text, and the key that opens the OCRA keys where there is PRF. */
export async function confirm(credential, text) {
  const found = await assertion(credential, await sha256(text));
  const proof = `webauthn ${toBase64url(utf8(JSON.stringify(plain(found))))}`;
  return { proof, wrapKey: await wrapKeyOf(found) };
}

/** The key that opens the OCRA keys; no network, and nobody is told. */
export async function unlock(credential) {
  return wrapKeyOf(await assertion(credential, random(32)));
}

export async function wrap(wrapKey, bytes) {
  const iv = random(IV_BYTES);
  const box = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, wrapKey, bytes);
  return { iv, box: new Uint8Array(box) };
}

export async function unwrap(wrapKey, { iv, box }) {
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, wrapKey, box));
}

async function assertion({ id, rpId, hasPrf }, challenge) {
  const eval_ = hasPrf ? { prf: { eval: { first: await sha256(utf8(PRF_INPUT)) } } } : {};
  return asked(() =>
    navigator.credentials.get({
      publicKey: {
        rpId,
        challenge,
        allowCredentials: [{ type: "public-key", id: fromBase64url(id), transports: ["internal"] }],
        userVerification: "required",
        timeout: TIMEOUT_MS,
        extensions: eval_,
      },
    }),
  );
}

async function asked(ask) {
  try {
    return await ask();
  } catch (error) {
    throw new NotConfirmed(error.name);
  }
}

async function wrapKeyOf(found) {
  const output = found.getClientExtensionResults().prf?.results?.first;
  if (!output) return null;
  const source = await crypto.subtle.importKey("raw", output, "HKDF", false, ["deriveKey"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: utf8(WRAP_INFO) };
  return crypto.subtle.deriveKey(how, source, { name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
}

/** Without the extensions' results: the PRF output in them opens the OCRA keys, and is nobody else's. */
function plain(credential) {
  return { ...credential.toJSON(), clientExtensionResults: {} };
}
