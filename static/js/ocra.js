/**
 * One-time passwords by RFC 6287 (OCRA) on WebCrypto: the same algorithm, checks and test vectors
 * (tests/vectors/ocra.json) as sls/oath.py. Needs a secure context: https or localhost.
 */

const FUNCTION = /^HOTP-(SHA(?:1|256|512))-(0|[4-9]|10)$/;
const INPUTS = new RegExp(
  "^(C-)?" +
    "Q([ANH])(0?[4-9]|[1-5][0-9]|6[0-4])" +
    "(?:-P(SHA(?:1|256|512)))?" +
    "(?:-S((?!000)[0-9]{3}))?" +
    "(?:-T((?:[1-9]|[1-5][0-9])[SM]|(?:[0-9]|[1-3][0-9]|4[0-8])H))?$",
);
const ALPHABETS = { A: /^[A-Za-z0-9]+$/, N: /^[0-9]+$/, H: /^[A-Fa-f0-9]+$/ };
const HASHES = { SHA1: "SHA-1", SHA256: "SHA-256", SHA512: "SHA-512" };
const HASH_LENGTHS = { "SHA-1": 20, "SHA-256": 32, "SHA-512": 64 };
const SECONDS = { S: 1, M: 60, H: 3600 };

/** The text is not an OCRA suite of RFC 6287 section 6. */
export class SuiteError extends Error {
  name = "SuiteError";
}

/** An input is missing, has no place in the suite, or is malformed. */
export class InputError extends Error {
  name = "InputError";
}

/**
 * What a suite asks for; `null` and `false` mean that it has no such part. Hashes are named as
 * WebCrypto names them. Throws `SuiteError`.
 */
export function parseSuite(text) {
  const [version, functionText = "", inputsText = "", ...rest] = text.split(":");
  if (version !== "OCRA-1" || rest.length) throw new SuiteError("Not OCRA-1:<function>:<inputs>.");
  const func = FUNCTION.exec(functionText);
  if (!func) throw new SuiteError("Not HOTP-SHA<1|256|512>-<0|4-10>.");
  const inputs = INPUTS.exec(inputsText);
  if (!inputs) throw new SuiteError("Not [C-]Q<format>[-P<hash>][-S<nnn>][-T<step>].");
  const [, counter, questionFormat, questionLength, pin, session, step] = inputs;
  return Object.freeze({
    text,
    hash: HASHES[func[1]],
    digits: Number(func[2]),
    hasCounter: counter !== undefined,
    questionFormat,
    questionLength: Number(questionLength),
    pinHash: pin ? HASHES[pin] : null,
    sessionLength: session ? Number(session) : null,
    stepSeconds: step ? Number(step.slice(0, -1)) * SECONDS[step.at(-1)] : null,
  });
}

/** A key that signs for this suite and can never be read out again: to be kept in IndexedDB. */
export async function importKey(suite, bytes) {
  if (!bytes.length) throw new InputError("The key is empty.");
  const algorithm = { name: "HMAC", hash: parseSuite(suite).hash };
  return crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]);
}

/** P: the hash of the PIN as typed, as a `Uint8Array`; all that need be kept of a PIN. */
export async function hashPin(suite, pin) {
  const { pinHash } = parseSuite(suite);
  if (!pinHash) throw new InputError("The suite has no PIN.");
  if (!pin) throw new InputError("The PIN is empty.");
  return new Uint8Array(await crypto.subtle.digest(pinHash, utf8(pin)));
}

/**
 * The response of RFC 6287 section 5: text, as many digits as the suite says.
 *
 * @param {string} suite
 * @param {Uint8Array|CryptoKey} key a `CryptoKey` must be for HMAC with the suite's hash
 * @param {string} question one challenge, or two of the suite's exact length joined (section 7.2)
 * @param {object} [inputs]
 * @param {number|bigint} [inputs.counter]
 * @param {string} [inputs.pin] as typed; or
 * @param {Uint8Array} [inputs.pinHash] already hashed
 * @param {Uint8Array} [inputs.session]
 * @param {number|bigint} [inputs.timestamp] in time steps
 * @returns {Promise<string>}
 * @throws {SuiteError|InputError} the message never repeats an input
 */
export async function ocra(
  suite,
  key,
  question,
  { counter, pin, pinHash, session, timestamp } = {},
) {
  const parsed = parseSuite(suite);
  if (pin !== undefined && pinHash !== undefined) {
    throw new InputError("Give the PIN or its hash, not both.");
  }
  const digest = pin === undefined ? pinHash : await hashPin(suite, pin);
  for (const [name, asked, given] of [
    ["counter", parsed.hasCounter, counter],
    ["PIN", parsed.pinHash !== null, digest],
    ["session", parsed.sessionLength !== null, session],
    ["timestamp", parsed.stepSeconds !== null, timestamp],
  ]) {
    if (asked !== (given !== undefined)) {
      throw new InputError(`The suite ${asked ? "asks for a" : "has no"} ${name}.`);
    }
  }
  const message = joined([
    utf8(suite),
    new Uint8Array(1),
    eightBytes(counter),
    paddedQuestion(parsed, question),
    checkedHash(parsed, digest),
    paddedSession(parsed, session),
    eightBytes(timestamp),
  ]);
  const signer = key instanceof CryptoKey ? key : await importKey(suite, key);
  if (signer.algorithm.name !== "HMAC" || signer.algorithm.hash.name !== parsed.hash) {
    throw new InputError("The key is not for the suite's hash.");
  }
  return truncate(new Uint8Array(await crypto.subtle.sign("HMAC", signer, message)), parsed.digits);
}

/** RFC 4226 section 5.3; no digits mean the whole HMAC in hexadecimal (RFC 6287 section 5.2). */
function truncate(digest, digits) {
  if (digits === 0) {
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  const offset = digest.at(-1) & 0x0f;
  const number = new DataView(digest.buffer).getUint32(offset) & 0x7fff_ffff;
  return String(number % 10 ** digits).padStart(digits, "0");
}

function eightBytes(number) {
  if (number === undefined) return new Uint8Array();
  if (typeof number !== "bigint" && !Number.isSafeInteger(number)) {
    throw new InputError("A counter or timestamp is not an exact integer.");
  }
  if (number < 0 || BigInt(number) >= 2n ** 64n) {
    throw new InputError("A counter or timestamp does not fit 64 bits.");
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}

/** Q: 128 bytes, zeros on the right. */
function paddedQuestion({ questionFormat, questionLength }, question) {
  if (!ALPHABETS[questionFormat].test(question)) {
    throw new InputError(`The question is not in the format Q${questionFormat}.`);
  }
  if (question.length > questionLength && question.length !== 2 * questionLength) {
    throw new InputError(`The question is longer than ${questionLength}.`);
  }
  const bytes = new Uint8Array(128);
  if (questionFormat === "A") {
    bytes.set(utf8(question));
    return bytes;
  }
  // The RFC's code pads the text: the last of an odd number of nibbles is the high half of a byte.
  const nibbles = questionFormat === "N" ? BigInt(question).toString(16) : question;
  const padded = nibbles.padEnd(256, "0");
  return bytes.map((_, index) => parseInt(padded.slice(2 * index, 2 * index + 2), 16));
}

function checkedHash({ pinHash }, digest) {
  if (digest === undefined) return new Uint8Array();
  if (digest.length !== HASH_LENGTHS[pinHash]) {
    throw new InputError(`The PIN's hash is not as long as a ${pinHash}.`);
  }
  return digest;
}

/** S: as many bytes as the suite says, zeros on the left. */
function paddedSession({ sessionLength }, session) {
  if (session === undefined) return new Uint8Array();
  if (!session.length || session.length > sessionLength) {
    throw new InputError(`The session is not 1 to ${sessionLength} bytes long.`);
  }
  const bytes = new Uint8Array(sessionLength);
  bytes.set(session, sessionLength - session.length);
  return bytes;
}

function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function utf8(text) {
  return new TextEncoder().encode(text);
}
