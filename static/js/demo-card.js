/**
 * The DSC+ on the demo page: templates/sls/demo/_dsc_plus.html comes to life.
 *
 * It goes through the steps of the real card: Press, PIN>, OK, CHALLNG>, OK, response. It is told
 * its own PIN, because a visitor learns more from "wrong PIN" than from a response that the server
 * then refuses.
 */

import { hashPin, ocra, parseSuite } from "./ocra.js";

const PIN_LENGTH = 4;
const WRONG_PINS_TO_LOCK = 5;
const GROUP = 4;

/**
 * The device without its face. `state` is one of `off`, `pin`, `wrong-pin`, `challenge`, `response`
 * and `locked`; `entry` is what has been typed; `short` says that OK came too early. `store` keeps
 * the number of wrong PINs under one name, as `localStorage` does.
 */
export class Card {
  #key;
  #pin;
  #pinHash;
  #store;
  #slot;

  state = "off";
  entry = "";
  response = "";
  short = false;

  constructor({ serial, suite, secret, pin }, store) {
    this.suite = suite;
    this.challengeLength = parseSuite(suite).questionLength;
    this.#key = Uint8Array.from(secret.match(/../g), (pair) => parseInt(pair, 16));
    this.#pin = pin;
    this.#store = store;
    this.#slot = `demo-card:${serial}`;
  }

  get wrongPins() {
    return Number(this.#store.getItem(this.#slot)) || 0;
  }

  get triesLeft() {
    return Math.max(0, WRONG_PINS_TO_LOCK - this.wrongPins);
  }

  get length() {
    return this.#asks("challenge") ? this.challengeLength : PIN_LENGTH;
  }

  press() {
    this.#enter(this.triesLeft ? "pin" : "locked");
  }

  digit(digit) {
    if (this.state === "wrong-pin") this.#enter("pin");
    if (!this.#asks("pin", "challenge")) return;
    this.short = false;
    if (this.entry.length < this.length) this.entry += digit;
  }

  correct() {
    this.short = false;
    this.entry = this.entry.slice(0, -1);
  }

  async ok() {
    if (!this.#asks("pin", "challenge")) return;
    const { entry, state } = this;
    this.short = entry.length < this.length;
    if (this.short) return;
    if (state === "pin") return this.#checkPin(entry);
    const response = await ocra(this.suite, this.#key, entry, { pinHash: this.#pinHash });
    if (this.state !== state || this.entry !== entry) return; // restarted meanwhile
    this.#enter("response");
    this.response = response;
  }

  reset() {
    this.#store.removeItem(this.#slot);
    this.#enter("off");
  }

  async #checkPin(pin) {
    if (pin !== this.#pin) {
      this.#store.setItem(this.#slot, String(this.wrongPins + 1));
      this.#enter(this.triesLeft ? "wrong-pin" : "locked");
      return;
    }
    this.#pinHash = await hashPin(this.suite, pin);
    if (this.state !== "pin" || this.entry !== pin) return;
    this.#store.removeItem(this.#slot);
    this.#enter("challenge");
  }

  #asks(...states) {
    return states.includes(this.state);
  }

  #enter(state) {
    this.state = state;
    this.entry = this.response = "";
    this.short = false;
    if (state !== "challenge") this.#pinHash = undefined;
  }
}

/** Give one `<section class="dsc">` its behaviour. */
export function attach(section, store = browserStore()) {
  const card = new Card(section.dataset, store);
  const part = (name) => section.querySelector(`.dsc__${name}`);
  const [body, prompt, line, note] = ["case", "prompt", "line", "note"].map(part);
  const button = (key) => section.querySelector(`[data-key="${key}"]`);

  function say(name, values = {}) {
    const text = section.dataset[`say${name}`];
    return text.replace(/\{(\w+)\}/g, (_, value) => values[value]);
  }

  function show() {
    const { state, entry, length, triesLeft: left } = card;
    section.dataset.state = state;
    write(prompt, { pin: "PIN>", "wrong-pin": "PIN>", challenge: "CHALLNG>" }[state] ?? "");
    if (state === "response") line.replaceChildren(...groups(card.response));
    else write(line, state === "pin" ? "\u2022".repeat(entry.length) : entry);
    const notes = {
      off: "Off",
      pin: card.short ? "PinShort" : "Pin",
      "wrong-pin": "WrongPin",
      challenge: card.short ? "ChallengeShort" : "Challenge",
      response: "Response",
      locked: "Locked",
    };
    write(note, say(notes[state], { left, length }));
    button("copy").disabled = state !== "response";
    part("staff").hidden = card.wrongPins === 0;
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(card.response);
      write(note, say("Copied"));
    } catch {
      window.getSelection().selectAllChildren(line); // the browser forbids it: leave the last step
    }
  }

  async function act(key) {
    try {
      if (key === "copy") return await copy();
      if (/^\d$/.test(key)) card.digit(key);
      else await card[key]();
      show();
    } catch {
      write(note, say("Fault"));
    }
  }

  section.addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (!key) return;
    // The keyboard goes on where the mouse left off: Enter then means OK, not the same key again.
    if (event.detail > 0 || key === "press" || key === "reset") body.focus({ preventScroll: true });
    act(key);
  });

  body.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = event.target.closest("button");
    const enter = card.state === "off" ? "press" : "ok";
    const key = { Backspace: "correct", Enter: onButton ? undefined : enter }[event.key];
    if (!key && !/^\d$/.test(event.key)) return;
    event.preventDefault();
    act(key ?? event.key);
  });

  // No real card can do this, but the challenge stands on another page of the same browser.
  body.addEventListener("paste", (event) => {
    if (card.state !== "challenge") return;
    for (const digit of event.clipboardData.getData("text").replace(/\D/g, "")) card.digit(digit);
    event.preventDefault();
    show();
  });

  show();
}

/** A live region speaks what is written to it: what has not changed is left alone. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Spans that CSS sets apart: what is selected and copied is still one number. */
function groups(response) {
  return (response.match(new RegExp(`.{1,${GROUP}}`, "g")) ?? []).map((digits) => {
    const span = document.createElement("span");
    span.textContent = digits;
    return span;
  });
}

/** `localStorage`; where the browser forbids it, something that forgets at the next page. */
function browserStore() {
  try {
    return window.localStorage;
  } catch {
    const kept = new Map();
    return {
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => kept.set(name, value),
      removeItem: (name) => kept.delete(name),
    };
  }
}

if (typeof document !== "undefined") {
  for (const section of document.querySelectorAll("section.dsc")) attach(section);
}
