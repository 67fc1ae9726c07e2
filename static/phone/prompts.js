/** A login that waits for this phone: what it shows, and the decision. */

import { call, Refused } from "./api.js";
import { complain, local, show } from "./screens.js";
import { confirm } from "./element.js";
import { countDown } from "./countdown.js";
import { digits } from "./fields.js";
import { go, place } from "./places.js";
import { read } from "./store.js";
import { say } from "./words.js";

place("prompt", open);

/** @param {object} prompt as `GET prompts` lists it, with `endsAt` by this phone's clock */
function open(prompt) {
  const back = () => go("home");
  const root = show("prompt", {
    fill: {
      brand: prompt.brand,
      username: prompt.username,
      person: prompt.person,
      place: prompt.place,
      browser: prompt.browser,
    },
    when: { number: prompt.asks_number, person: prompt.person !== prompt.username },
    deeds: { back, deny: () => deny(prompt), approve: (screen) => approve(prompt, screen) },
  });
  watchTime(root, prompt);
}

/** The prompt ends on the screens after it, too. */
function watchTime(root, prompt) {
  const left = Math.max(0, (prompt.endsAt - Date.now()) / 1000);
  countDown(root, left, { over: () => over("prompt_over") });
}

async function approve(prompt, screen) {
  const number = prompt.asks_number ? digits(screen.querySelector("[name=number]")) : "";
  if (prompt.asks_number && number.length !== 2) throw new Refused(0, local("number_short"));
  const phone = await read("phone");
  const ask = { action: "approve", back: () => open(prompt) };
  await confirm(phone, ask, ({ prove }) => decide(phone, prompt, "approve", number, prove));
}

function deny(prompt) {
  const back = () => open(prompt);
  const send = async (decision) => decide(await read("phone"), prompt, decision, "");
  const root = show("deny", {
    fill: { username: prompt.username },
    deeds: { back, deny: () => send("deny"), cancel: () => send("cancel") },
  });
  watchTime(root, prompt);
}

async function decide(phone, prompt, decision, number, prove) {
  const { id, attempt, username } = prompt;
  try {
    const body = { attempt, username, decision, number };
    const { state } = await call("POST", `prompts/${id}/decision`, body, { signer: phone, prove });
    over(state, { username, brand: prompt.brand });
  } catch (error) {
    if (["prompt_over", "unknown_prompt"].includes(error.code)) return over("prompt_over");
    if (error.code !== "wrong_number") throw error;
    if (!error.facts.tries_left) return over("prompt_over");
    open(prompt);
    complain(error);
  }
}

/** What came of it. Told once; then home, where the next one may wait. */
function over(state, fill = {}) {
  go("decided");
  const root = show("decided", {
    fill: { heading: say(`${state}_title`), sentence: say(state, fill) },
    deeds: { done: () => go("home"), back: () => go("home") },
  });
  root.dataset.state = state;
}
