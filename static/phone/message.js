/** What became of the SMS: asked every few seconds while its code is waited for. */

import { call, Refused } from "./api.js";
import { onLeave, put } from "./screens.js";

const EVERY = 4000;
const STILL_OPEN = ["waiting", "handed_over"];
const MOST = 75; // five minutes
const LAST_ANSWER = 1000; // milliseconds to wait for it

/**
 * Fill `root`'s `[data-standing]` and `[data-country-advice]` until the fate of the message is known. What is returned ends it,
 * and its promise comes when nothing is asked any more: a question that comes after the activation would be refused.
 */
export function watch(root, body, how) {
  let timer;
  let asking;
  let asked = 0;
  let ended = false;
  let before = "";

  async function look() {
    try {
      const told = await call("POST", "activation/message", body, how);
      if (!root.isConnected) return;
      if (told.progress !== before) tell(root, told);
      before = told.progress;
      if (!STILL_OPEN.includes(told.progress)) return;
    } catch (error) {
      if (error instanceof Refused && error.status) return; // the activation is over; the next step says so
    }
    asked += 1;
    if (root.isConnected && !ended && asked < MOST) timer = setTimeout(ask, EVERY);
  }

  function ask() {
    asking = look();
  }

  function end() {
    ended = true;
    clearTimeout(timer);
    return Promise.race([asking, new Promise((done) => setTimeout(done, LAST_ANSWER))]);
  }

  onLeave(end);
  timer = setTimeout(ask, 1000);
  return end;
}

function tell(root, { progress, sentence, cure, advice }) {
  const place = root.querySelector("[data-standing]");
  place.dataset.standing = progress;
  put(place, [sentence, cure].filter(Boolean).join(" "));
  const entries = advice.map((words) => {
    const entry = document.createElement("li");
    entry.textContent = words;
    return entry;
  });
  put(root.querySelector("[data-country-advice]"), entries);
}
