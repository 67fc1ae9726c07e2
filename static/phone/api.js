/** Calls to the portal: docs/phone-protocol.md sections 1 and 3. */

import { sign } from "./signing.js";
import { utf8 } from "./bytes.js";

const BASE = "/phone/api/v1/";
const PATIENCE_MS = 20_000;

/** The portal's no, with its words; `code` decides, title, sentence and cure are shown as they are. */
export class Refused extends Error {
  name = "Refused";

  constructor(status, { code = "fault", title, sentence, cure, ...facts } = {}) {
    super(code);
    Object.assign(this, { status, code, title, sentence, cure, facts });
  }
}

/** No answer came: whether the call arrived is not known. */
export class Unreachable extends Error {
  name = "Unreachable";
}

let ahead = 0;

/** The server's clock, which decides every expiry, in milliseconds. */
export const serverNow = () => Date.now() + ahead;

/**
 * @param {string} method
 * @param {string} path below /phone/api/v1/
 * @param {object} [body]
 * @param {object} [how]
 * @param {{id: string, keys: CryptoKeyPair}} [how.signer]
 * @param {(text: Uint8Array) => Promise<string>} [how.prove] makes the second header over the same text
 * @returns {Promise<object>} throws Refused or Unreachable
 */
export async function call(method, path, body, { signer, prove } = {}) {
  try {
    return await once(method, path, body, signer, prove);
  } catch (error) {
    if (error.code !== "clock_off") throw error;
    return once(method, path, body, signer, prove); // the refusal told the server's time
  }
}

async function once(method, path, body, signer, prove) {
  const bytes = body === undefined ? new Uint8Array() : utf8(JSON.stringify(body));
  const headers = { "Accept-Language": document.documentElement.lang, Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (signer) {
    const time = Math.floor(serverNow() / 1000);
    const request = { method, path: BASE + path, body: bytes, phone: signer.id, time };
    const { text, authorization } = await sign(request, signer.keys.privateKey);
    headers.Authorization = authorization;
    if (prove) headers["Phone-Proof"] = await prove(text);
  }
  return send(method, path, headers, body === undefined ? undefined : bytes);
}

async function send(method, path, headers, body) {
  let response, answer;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      body,
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    answer = await response.json();
  } catch (error) {
    if (response && !response.ok) throw new Refused(response.status);
    throw new Unreachable(error.message);
  }
  if (answer.server_time) ahead = Date.parse(answer.server_time) - Date.now();
  if (!response.ok) throw new Refused(response.status, answer.error);
  return { ...answer, status: response.status };
}
