/** static/js/ocra.js against the vectors of sls/oath.py. Run: node --test tests/js/ */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import {
  hashPin,
  importKey,
  InputError,
  ocra,
  parseSuite,
  SuiteError,
} from "../../static/js/ocra.js";

const file = JSON.parse(readFileSync(new URL("../vectors/ocra.json", import.meta.url), "utf8"));
const HOUSE = "OCRA-1:HOTP-SHA256-8:QN06-PSHA256";
const KEY = bytes(file.keys["32"]);

function bytes(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** The inputs of a case, from their JSON form. */
function inputs({ counter, pin, pin_hash, session, timestamp }) {
  return {
    counter: typeof counter === "string" ? BigInt(counter) : counter,
    pin,
    pinHash: pin_hash === undefined ? undefined : bytes(pin_hash),
    session: session === undefined ? undefined : bytes(session),
    timestamp: typeof timestamp === "string" ? BigInt(timestamp) : timestamp,
  };
}

describe("the response is the published one", () => {
  for (const vector of file.vectors) {
    const { group, suite, key, question, counter = "", response } = vector;
    test(`${group} ${suite} ${question.slice(0, 20)} ${counter}`, async () => {
      assert.equal(await ocra(suite, bytes(file.keys[key]), question, inputs(vector)), response);
    });
  }
});

describe("a response is refused when", () => {
  for (const refused of file.refused) {
    test(refused.why, async () => {
      const key = bytes(refused.key ?? "31".repeat(20));
      await assert.rejects(ocra(refused.suite, key, refused.question, inputs(refused)), InputError);
    });
  }

  test("the counter is not an exact integer", async () => {
    for (const counter of [0.5, 2 ** 53, NaN, "1"]) {
      const response = ocra("OCRA-1:HOTP-SHA1-6:C-QN08", KEY, "1", { counter });
      await assert.rejects(response, InputError);
    }
  });

  test("the key is for another hash", async () => {
    const key = await importKey("OCRA-1:HOTP-SHA1-6:QN08", KEY);
    await assert.rejects(ocra(HOUSE, key, "123456", { pin: "1234" }), InputError);
  });
});

describe("a suite is refused when malformed", () => {
  for (const text of file.malformed_suites) {
    test(JSON.stringify(text), () => assert.throws(() => parseSuite(text), SuiteError));
  }
});

test("a suite is read part by part", () => {
  assert.deepEqual(parseSuite("OCRA-1:HOTP-SHA512-10:C-QA64-PSHA1-S128-T48H"), {
    text: "OCRA-1:HOTP-SHA512-10:C-QA64-PSHA1-S128-T48H",
    hash: "SHA-512",
    digits: 10,
    hasCounter: true,
    questionFormat: "A",
    questionLength: 64,
    pinHash: "SHA-1",
    sessionLength: 128,
    stepSeconds: 48 * 3600,
  });
});

test("a key that cannot be read out gives the same response", async () => {
  const key = await importKey(HOUSE, KEY);
  await assert.rejects(crypto.subtle.exportKey("raw", key));
  assert.equal(await ocra(HOUSE, key, "123456", { pin: "1234" }), "78054504");
});

test("a hashed PIN gives the same response", async () => {
  const pinHash = await hashPin(HOUSE, "1234");
  assert.equal(await ocra(HOUSE, KEY, "123456", { pinHash }), "78054504");
});

test("leading zeros of a question do not count", async () => {
  const suite = "OCRA-1:HOTP-SHA1-6:QN08";
  assert.equal(await ocra(suite, KEY, "12"), await ocra(suite, KEY, "00000012"));
});

test("leading zeros of a response are kept as text", async () => {
  assert.equal(await ocra(HOUSE, KEY, "000073", { pin: "1234" }), "00113946");
});
