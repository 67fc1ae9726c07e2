/**
 * What waits for this phone. The list the portal gives is the truth; push messages and events only say that
 * it is time to ask again.
 */

import { call, Unreachable } from "./api.js";
import { go, place } from "./places.js";
import { onFailure, shown, speak } from "./screens.js";
import { change, read } from "./store.js";
import { say } from "./words.js";

const POLL_MS = 5_000;
const QUIET_POLL_MS = 60_000;
const ABOUT_PROMPTS = ["home", "prompt", "deny", "pin", "decided"];

const strip = document.getElementById("waits");

let known = [];
let seen = new Set();
let events = null;
let timer = 0;
let listener = () => {};

place("decided", look);

/** Tell `changed(prompts)` now and whenever the list has changed. */
export function watch(changed) {
  listener = changed;
  changed(prompts());
  return look();
}

export const prompts = () => known.filter((prompt) => prompt.endsAt > Date.now());

/** Ask now. Never throws: a failure is shown only where it matters. */
export async function look() {
  clearTimeout(timer);
  const phone = await read("phone");
  if (!phone || document.hidden) return;
  try {
    const answer = await call("GET", "prompts", undefined, { signer: phone });
    take(answer);
  } catch (error) {
    if (!(error instanceof Unreachable)) await go("failed", error);
    close();
  }
  clearTimeout(timer);
  timer = setTimeout(look, events ? QUIET_POLL_MS : POLL_MS);
}

function take({ prompts: found, events: address }) {
  const now = Date.now();
  known = found.map((prompt) => ({ ...prompt, endsAt: now + prompt.seconds_left * 1000 }));
  if (!events && address) listen(address);
  const fresh = known.find(({ id }) => !seen.has(id));
  seen = new Set(known.map(({ id }) => id));
  listener(prompts());
  showStrip();
  if (!fresh) return;
  if (shown() === "home") go("prompt", fresh);
  else speak(say("login_waits"));
}

function listen(address) {
  if (!address.startsWith("/events/")) return;
  const source = new EventSource(address);
  events = source;
  source.addEventListener("look", () => {
    close(); // the portal ends the stream with it; the browser would ask for it again
    look();
  });
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED || events !== source) return;
    close();
    clearTimeout(timer);
    timer = setTimeout(look, POLL_MS);
  };
}

function close() {
  events?.close();
  events = null;
}

/** Beside other work a strip says that a login waits. */
function showStrip() {
  strip.hidden = !prompts().length || ABOUT_PROMPTS.includes(shown());
}

/** Look when the app comes to the front, when the network is back, and when a push message came. */
export function start() {
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : look()));
  addEventListener("online", look);
  addEventListener("offline", close);
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (data === "look") look();
  });
  document.addEventListener("screen", showStrip);
  strip.addEventListener("click", () => go("home").then(() => prompts()[0] && go("prompt", prompts()[0])));
  onFailure((error) => go("failed", error));
}

/** After a start: which usernames are still active here, and is the phone? */
export async function refresh() {
  const phone = await read("phone");
  const answer = await call("GET", "phone", undefined, { signer: phone });
  const active = new Set(answer.users.map(({ user }) => user));
  await change("phone", (kept) => ({
    ...kept,
    brand: answer.brand,
    pushKey: answer.push_key,
    users: kept.users.filter(({ user }) => active.has(user)),
  }));
  return answer;
}
