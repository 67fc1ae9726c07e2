/** static/phone/ where it needs no page: against tests/vectors/phone.json. Run: node --test tests/js/ */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import * as numbers from "../../static/phone/numbers.js";
import * as pins from "../../static/phone/pins.js";
import { detect, labelsOf } from "../../static/phone/platform.js";
import { fromBase64url, hex, sha256, toBase64url, utf8 } from "../../static/phone/bytes.js";
import { makeKey, pinProof, publicPoint, requestText, sign } from "../../static/phone/signing.js";
import { makeSalt, makeSecret, masker, ocraLabel, stretch } from "../../static/phone/masking.js";
import { ocra } from "../../static/js/ocra.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/phone.json", import.meta.url), "utf8"));
const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

const bytes = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
const text = (data) => new TextDecoder().decode(data);

async function isSigned(data, signature, point) {
  const key = await crypto.subtle.importKey("raw", fromBase64url(point), ECDSA, false, ["verify"]);
  return crypto.subtle.verify(ECDSA, key, fromBase64url(signature), data);
}

describe("a request", () => {
  for (const vector of vectors.request) {
    const { method, path, phone, time, nonce } = vector;
    const request = { method, path, phone, time, nonce, body: utf8(vector.body) };

    test(`${method} ${path} has the documented text, and its signature verifies`, async () => {
      const found = await requestText(request);
      assert.equal(text(found), vector.text);
      assert.ok(await isSigned(found, vector.signature, vector.public_key));
    });

    test(`${method} ${path} is proven by the PIN key and challenges a credential`, async () => {
      const found = await requestText(request);
      assert.equal(await pinProof(bytes(vector.pin_key), found), `pin ${vector.pin_mac}`);
      assert.equal(hex(await sha256(found)), vector.webauthn_challenge);
    });
  }

  test("signed here verifies, and no part of it can be exchanged", async () => {
    const keys = await makeKey();
    const point = toBase64url(await publicPoint(keys));
    const request = { method: "GET", path: "/phone/api/v1/phone", body: new Uint8Array(), phone: "new", time: 1790000000 };
    const { text: signed, authorization } = await sign(request, keys.privateKey);
    const [, phone, time, nonce, signature] = authorization.match(/^Phone (new):(\d+):([\w-]{22}):([\w-]{86})$/);
    assert.equal(text(signed), text(await requestText({ ...request, phone, time, nonce })));
    assert.ok(await isSigned(signed, signature, point));
    for (const changed of [{ method: "PUT" }, { path: "/" }, { body: utf8(" ") }, { time: 1790000001 }]) {
      const other = await requestText({ ...request, nonce, ...changed });
      assert.equal(await isSigned(other, signature, point), false);
    }
    assert.equal(keys.privateKey.extractable, false);
    assert.notEqual((await sign(request, keys.privateKey)).authorization, authorization);
  });
});

describe("a mask", () => {
  for (const { pin, label, salt, device_secret, stretched, key, masked } of vectors.mask) {
    test(`of ${JSON.stringify(pin)} for ${label} is the documented one`, async () => {
      assert.equal(hex(await stretch(pin, bytes(salt))), stretched);
      const how = { name: "HMAC", hash: "SHA-256" };
      const secret = await crypto.subtle.importKey("raw", bytes(device_secret), how, false, ["sign"]);
      const mask = await masker(pin, { salt: bytes(salt), secret });
      assert.equal(hex(await mask(label, bytes(key))), masked);
      assert.equal(hex(await mask(label, bytes(masked))), key);
    });
  }

  test("under a wrong PIN, another label or on another phone gives another key and no sign", async () => {
    const phone = { salt: makeSalt(), secret: await makeSecret() };
    const key = crypto.getRandomValues(new Uint8Array(32));
    const kept = await (await masker("7kX!2", phone))(ocraLabel("a"), key);
    const wrong = await Promise.all([
      masker("7kX!3", phone).then((mask) => mask(ocraLabel("a"), kept)),
      masker("7kX!2", phone).then((mask) => mask(ocraLabel("b"), kept)),
      masker("7kX!2", { ...phone, secret: phone.secret, salt: makeSalt() }).then((m) => m(ocraLabel("a"), kept)),
      makeSecret().then(async (secret) => (await masker("7kX!2", { ...phone, secret }))(ocraLabel("a"), kept)),
    ]);
    for (const found of wrong) {
      assert.equal(found.length, 32);
      assert.notEqual(hex(found), hex(key));
    }
    assert.equal(phone.secret.extractable, false);
  });
});

describe("a passcode", () => {
  for (const { suite, key, question, response } of vectors.ocra) {
    test(`for ${question} is the documented one`, async () => {
      assert.equal(await ocra(suite, bytes(key), question), response);
    });
  }
});

describe("while a PIN is typed", () => {
  const rules = { shortest: 4, longest: 6 };
  for (const [typed, slip] of [
    ["7kX!2", ""],
    ["1357", ""],
    ["密码七号", ""],
    ["e\u0301a9Z", ""], // composed: four characters
    ["7kX", "pin_short"],
    ["7kX!234", "pin_long"],
    ["7k X2", "pin_blank"],
    ["7k\u200bX2", "pin_blank"],
    ["1111", "pin_run"],
    ["1234", "pin_run"],
    ["654321", "pin_run"],
    ["abcd", "pin_run"],
  ]) {
    test(`${JSON.stringify(typed)} is ${slip || "good"}`, () => assert.equal(pins.slip(typed, rules), slip));
  }
});

describe("while a number is typed", () => {
  for (const [typed, slip] of [
    ["", ""],
    ["81234567", ""],
    [" 81234567 ", ""],
    ["+6581234567", "number_plus"],
    ["006581234567", "number_plus"],
    ["8123 4567", "number_blank"],
    ["8123-4567", "number_sign"],
    ["(8123)4567", "number_sign"],
    ["081234567", "number_trunk"],
  ]) {
    test(`${JSON.stringify(typed)} is ${slip || "good"}`, () => assert.equal(numbers.slip(typed), slip));
  }
});

describe("the labels are those of", () => {
  for (const [userAgent, maxTouchPoints, platform, labels] of [
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)", 5, "ios", "ios"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", 5, "ios", "ios"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", 0, "other", "android"],
    ["Mozilla/5.0 (Linux; Android 15)", 5, "android", "android"],
    ["Mozilla/5.0 (X11; Linux x86_64)", 0, "other", "android"],
  ]) {
    test(`${labels} for ${userAgent} with ${maxTouchPoints} fingers`, () => {
      assert.equal(detect({ userAgent, maxTouchPoints }), platform);
      assert.equal(labelsOf(platform), labels);
    });
  }
});

test("base64url has neither padding nor plus and slash, and comes back", () => {
  for (const size of [0, 1, 2, 3, 64, 65]) {
    const data = crypto.getRandomValues(new Uint8Array(size));
    assert.match(toBase64url(data), /^[A-Za-z0-9_-]*$/);
    assert.deepEqual(fromBase64url(toBase64url(data)), data);
  }
});
