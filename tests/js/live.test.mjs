/** static/js/live.js with a clock, a stream and a network of our own. Run: node --test tests/js/ */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, describe, mock, test } from "node:test";

class Stream extends EventTarget {
  static OPEN = 1;
  static all = [];
  readyState = 0;

  constructor(address) {
    super();
    this.address = address;
    Stream.all.push(this);
  }

  close() {
    this.readyState = 2;
  }
}

class Form {
  sent = 0;

  constructor(dataset) {
    this.dataset = dataset;
  }

  requestSubmit() {
    this.sent += 1;
  }
}

let asked;
let answers;
let reloaded;

const behaviour = readFileSync(new URL("../../static/js/live.js", import.meta.url), "utf8");

globalThis.EventSource = Stream;
globalThis.HTMLFormElement = Form;
globalThis.location = { reload: () => (reloaded += 1) };
globalThis.fetch = async (address) => {
  asked.push(address);
  const status = answers.shift() ?? 204;
  if (status instanceof Error) throw status;
  return { status };
};

/** The behaviour on a page with this one place; run as a function, because a module runs once. */
function on(place) {
  globalThis.document = { querySelectorAll: () => [place] };
  new Function(behaviour)();
  return Stream.all.at(-1);
}

async function pass(milliseconds) {
  mock.timers.tick(milliseconds);
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

beforeEach(() => {
  asked = [];
  answers = [];
  reloaded = 0;
  Stream.all = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setInterval", "Date"] });
});

const form = (seconds = "180") => new Form({ live: "/events/t", liveSeconds: seconds });

describe("a page that waits", () => {
  test("sends its form once, however often it is told", async () => {
    const place = form();
    const stream = on(place);
    assert.equal(stream.address, "/events/t");
    stream.dispatchEvent(new Event("look"));
    stream.dispatchEvent(new Event("look"));
    await pass(600_000);
    assert.equal(place.sent, 1);
    assert.equal(stream.readyState, 2);
    assert.deepEqual(asked, []);
  });

  test("without a form is loaded anew", async () => {
    const stream = on({ dataset: { live: "/events/t" } });
    stream.dispatchEvent(new Event("look"));
    assert.equal(reloaded, 1);
  });

  test("does nothing before it is told", async () => {
    const place = form();
    on(place).readyState = Stream.OPEN;
    await pass(19_000);
    assert.equal(place.sent, 0);
    assert.deepEqual(asked, []);
  });

  test("asks every few seconds while there is no stream, and goes on when the network comes back", async () => {
    const place = form();
    on(place);
    answers = [204, new TypeError("no network"), 503, 200];
    for (let turn = 0; turn < 4; turn += 1) {
      assert.equal(place.sent, 0);
      await pass(3000);
    }
    assert.deepEqual(asked, Array(4).fill("/events/t?now"));
    assert.equal(place.sent, 1);
    await pass(60_000);
    assert.equal(asked.length, 4);
  });

  test("asks now and then beside a stream, should a word be lost", async () => {
    const place = form();
    on(place).readyState = Stream.OPEN;
    answers = [204, 200];
    for (let turn = 0; turn < 10; turn += 1) await pass(3000);
    assert.equal(asked.length, 1);
    for (let turn = 0; turn < 10; turn += 1) await pass(3000);
    assert.equal(place.sent, 1);
    assert.equal(asked.length, 2);
  });

  for (const status of [404, 410]) {
    test(`stops when the server says ${status}`, async () => {
      const place = form();
      const stream = on(place);
      answers = [status];
      await pass(3000);
      await pass(60_000);
      assert.equal(asked.length, 1);
      assert.equal(place.sent, 0);
      assert.equal(stream.readyState, 2);
    });
  }

  test("stops when the time is over", async () => {
    const place = form("10");
    const stream = on(place);
    for (let turn = 0; turn < 10; turn += 1) await pass(3000);
    assert.equal(asked.length, 3);
    assert.equal(stream.readyState, 2);
    assert.equal(place.sent, 0);
  });
});
