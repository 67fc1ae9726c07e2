/** *Authenticate* without a network: challenge code in, response string out (docs/phone-protocol.md section 9). */

import { confirm, byPin } from "./element.js";
import { digits, pinField } from "./fields.js";
import { go, place } from "./places.js";
import { groups } from "./words.js";
import { labelsOf } from "./platform.js";
import { local, put, show, speak } from "./screens.js";
import { platform } from "./preferences.js";
import { read } from "./store.js";
import { Refused } from "./api.js";
import { say } from "./words.js";

const CHALLENGE_DIGITS = 6;
const GROUP = 4;

place("passcode", authenticate);

async function authenticate() {
  const phone = await read("phone");
  if (!phone.users.length) return go("home");
  if (phone.users.length > 1) return chooseUser(phone);
  return challenge(phone, phone.users[0]);
}

function chooseUser(phone) {
  const root = show("choose-user", {
    deeds: {
      back: () => go("home"),
      choose: (_, { dataset }) => challenge(phone, phone.users.find(({ user }) => user === dataset.user)),
    },
  });
  const template = document.getElementById("user-button");
  const buttons = phone.users.map(({ user, username, person }) => {
    const entry = template.content.firstElementChild.cloneNode(true);
    entry.querySelector("button").dataset.user = user;
    put(entry.querySelector("[data-fill=username]"), username);
    put(entry.querySelector("[data-fill=person]"), person);
    return entry;
  });
  root.querySelector("[data-users]").replaceChildren(...buttons);
}

async function challenge(phone, user) {
  const usesBiometrics = Boolean(phone.credential?.hasPrf && user.wrapped);
  const pinHere = !usesBiometrics && labelsOf(await platform()) === "android";
  const back = () => (phone.users.length > 1 ? chooseUser(phone) : go("home"));
  const root = show("challenge", {
    fill: { username: user.username },
    when: { pin: pinHere },
    deeds: {
      back,
      generate: async (screen) => {
        const question = digits(screen.querySelector("[name=challenge]"));
        if (question.length !== CHALLENGE_DIGITS) throw new Refused(0, local("challenge_short"));
        const deed = async ({ passcode }) => response(user, await passcode(user, question));
        if (pinHere) return deed(byPin(phone, pin.taken()));
        const ask = { action: "generate", back: () => challenge(phone, user), needsKey: true };
        return confirm(usesBiometrics ? phone : { ...phone, credential: null }, ask, deed);
      },
    },
  });
  const pin = pinHere ? pinField(root, undefined, { isNew: false }) : null;
}

function response(user, passcode) {
  const root = show("response", {
    fill: { username: user.username, passcode: groups(passcode, GROUP) },
    deeds: {
      done: () => go("home"),
      back: () => go("home"),
      again: () => go("passcode"),
      copy: async () => {
        await navigator.clipboard.writeText(passcode);
        speak(say("copied"));
      },
    },
  });
  root.querySelector("output").setAttribute("aria-label", Array.from(passcode).join(" "));
}
