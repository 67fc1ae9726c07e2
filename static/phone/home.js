/** The first screen: register, or what waits, the usernames here, and *Authenticate*. */

import { go, place } from "./places.js";
import { prompts, watch } from "./waiting.js";
import { put, show } from "./screens.js";
import { read } from "./store.js";
import { duration, say } from "./words.js";

place("home", home);

async function home() {
  const [phone, waiting] = await Promise.all([read("phone"), read("waiting")]);
  if (!phone) return waiting ? go("wait", waiting) : start();
  const root = show("home", {
    when: { waiting, several: phone.users.length > 1 },
    fill: { waiting: waiting?.username },
    deeds: {
      authenticate: () => go("passcode"),
      add: () => go("activation", phone),
      settings: () => go("settings"),
      wait: () => go("wait", waiting),
      open: (_, { dataset }) => {
        const found = prompts().find(({ id }) => id === dataset.prompt);
        return found ? go("prompt", found) : go("home");
      },
    },
  });
  list(root.querySelector("[data-users]"), phone.users);
  await watch((found) => root.isConnected && waits(root, found));
}

function start() {
  show("start", { deeds: { register: () => go("activation"), settings: () => go("settings") } });
}

/** One entry for each person, with all usernames of theirs. */
function list(place_, users) {
  const template = document.getElementById("person");
  const people = Map.groupBy ? Map.groupBy(users, ({ person }) => person) : grouped(users);
  for (const [person, theirs] of people) {
    const entry = template.content.cloneNode(true);
    put(entry.querySelector("[data-fill=person]"), person);
    const names = theirs.map(({ username }) => {
      const item = document.createElement("li");
      item.textContent = username;
      return item;
    });
    entry.querySelector("ul").replaceChildren(...names);
    place_.append(entry);
  }
}

function grouped(users) {
  const people = new Map();
  for (const user of users) people.set(user.person, [...(people.get(user.person) ?? []), user]);
  return people;
}

function waits(root, found) {
  const box = root.querySelector("[data-waits]");
  const template = document.getElementById("waiting-login");
  const buttons = found.map((prompt) => {
    const entry = template.content.firstElementChild.cloneNode(true);
    const seconds = Math.ceil((prompt.endsAt - Date.now()) / 1000);
    put(entry.querySelector("[data-fill=username]"), prompt.username);
    put(entry.querySelector("[data-fill=where]"), `${prompt.browser} · ${prompt.place}`);
    put(entry.querySelector("[data-fill=left]"), say("time_left", { time: duration(seconds) }));
    entry.querySelector("button").dataset.prompt = prompt.id;
    return entry;
  });
  box.replaceChildren(...buttons);
  root.querySelector("[data-nothing]").hidden = found.length > 0;
}
