/**
 * One screen at a time. Each is a `<template data-screen>` of the page; a script fills its places and says
 * what its buttons do. A new screen takes the focus to its heading, so that it is read out.
 *
 * In a template: `data-fill` names text to put in, `data-when` what must be true for the element to stay,
 * `data-do` the deed of a button, link or form. A deed that fails shows why, in the screen's own place for it.
 */

import { Refused, Unreachable } from "./api.js";
import { NotConfirmed } from "./biometrics.js";
import { say } from "./words.js";

const main = document.getElementById("screen");
const voice = document.getElementById("voice");

let current = { name: "", deeds: {}, leave: [] };
let hasEntry = false; // an entry of the history that Back may use up

/**
 * @param {string} name
 * @param {object} [parts]
 * @param {Record<string, string|Node[]>} [parts.fill]
 * @param {Record<string, unknown>} [parts.when]
 * @param {Record<string, (root: HTMLElement, element: HTMLElement) => unknown>} [parts.deeds]
 *   "back" is also what the Back of browser and phone does
 * @returns {HTMLElement} the screen, for what is more than filling in
 */
export function show(name, { fill = {}, when = {}, deeds = {} } = {}) {
  const template = document.querySelector(`template[data-screen="${name}"]`);
  const root = template.content.firstElementChild.cloneNode(true);
  for (const element of root.querySelectorAll("[data-when]")) {
    if (!when[element.dataset.when]) element.remove();
  }
  for (const element of root.querySelectorAll("[data-fill]")) {
    put(element, fill[element.dataset.fill] ?? "");
  }
  current.leave.forEach((done) => done());
  current = { name, deeds, leave: [] };
  root.addEventListener("click", clicked);
  root.addEventListener("submit", submitted);
  main.replaceChildren(root);
  main.dataset.screen = name;
  window.scrollTo(0, 0);
  keepBack();
  const heading = root.querySelector("h1");
  document.title = `${heading.textContent.trim()} · ${document.body.dataset.app}`;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  document.dispatchEvent(new Event("screen"));
  return root;
}

/** Text, or elements that were made here: never markup from elsewhere. */
export function put(element, content) {
  element.replaceChildren(...(Array.isArray(content) ? content : [content]));
}

export const shown = () => current.name;

/** To be done once when another screen comes: stop a clock, forget a PIN. */
export function onLeave(done) {
  current.leave.push(done);
}

/** Speak without moving the focus. */
export function speak(text) {
  voice.textContent = text;
}

/** Why something did not work, in the screen's place for it. */
export function complain(error) {
  const place = main.querySelector("[data-refusal]");
  const { code, title, sentence, cure } = wordsOf(error);
  if (!place) return speak([title, sentence, cure].join(" "));
  const parts = { title, sentence, cure, code };
  place.replaceChildren(document.getElementById("refusal").content.cloneNode(true));
  for (const [part, text] of Object.entries(parts)) {
    put(place.querySelector(`[data-part="${part}"]`), text ?? "");
  }
  place.dataset.code = code;
  place.hidden = false;
  place.scrollIntoView({ block: "nearest" });
}

function wordsOf(error) {
  if (error instanceof Refused && error.title) {
    const left = error.facts.tries_left;
    const more = left === undefined ? "" : ` ${say("tries_left", { number: left })}`;
    return { ...error, code: error.code, sentence: error.sentence + more };
  }
  const name = error instanceof Unreachable ? "offline" : error instanceof NotConfirmed ? "not_confirmed" : "fault";
  if (name === "fault") console.error(error);
  const [title, sentence, cure] = ["title", "sentence", "cure"].map((part) => say(`${name}_${part}`));
  return { code: name, title, sentence, cure };
}

function clearComplaint() {
  const place = main.querySelector("[data-refusal]");
  if (place) {
    place.hidden = true;
    place.replaceChildren();
    delete place.dataset.code;
  }
}

function clicked(event) {
  const element = event.target.closest("button[data-do], a[data-do]");
  if (!element || element.form?.dataset.do === element.dataset.do) return;
  event.preventDefault();
  act(element.dataset.do, element);
}

function submitted(event) {
  event.preventDefault();
  const form = event.target;
  if (refuseEmpty(form)) return;
  act(form.dataset.do, form);
}

/** Forms carry `novalidate`: the browser's bubbles do not speak our language. */
function refuseEmpty(form) {
  clearComplaint();
  const empty = Array.from(form.elements).find((field) => field.required && !field.value.trim());
  for (const field of form.elements) {
    if (field.required) field.setAttribute("aria-invalid", String(field === empty));
  }
  if (!empty) return false;
  complain(new Refused(0, local("empty")));
  empty.focus();
  return true;
}

/** A refusal of our own, in the form of the portal's. */
export function local(name, values = {}) {
  return { code: name, title: say(`${name}_title`, values), sentence: say(name, values), cure: "" };
}

async function act(name, element) {
  const screen = current;
  if (screen.isBusy || !screen.deeds[name]) return;
  screen.isBusy = true;
  const root = main.firstElementChild;
  root.setAttribute("aria-busy", "true");
  clearComplaint();
  try {
    await screen.deeds[name](root, element);
  } catch (error) {
    await failed(error, screen);
  } finally {
    screen.isBusy = false;
    root.removeAttribute("aria-busy");
  }
}

let elsewhere = () => false;

/** `handle(error)` is asked first; it answers whether it has shown a screen of its own. */
export function onFailure(handle) {
  elsewhere = handle;
}

async function failed(error, screen) {
  if (await elsewhere(error)) return;
  if (screen === current) complain(error);
}

// Back

function keepBack() {
  if (current.deeds.back && !hasEntry) {
    history.pushState({ inside: true }, "");
    hasEntry = true;
  }
}

addEventListener("popstate", () => {
  hasEntry = false;
  if (current.deeds.back) act("back", main);
});
