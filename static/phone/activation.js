/** *Register Two-Factor* and *Add user*, up to the Activation Code: docs/phone-protocol.md sections 5 and 6. */

import { call, Refused, serverNow } from "./api.js";
import { complain, local, onLeave, put, show } from "./screens.js";
import { countDown } from "./countdown.js";
import { countryName, duration, groups, say } from "./words.js";
import { digits, numberField, pinField } from "./fields.js";
import { asksPin, element, finish } from "./completion.js";
import { go, place } from "./places.js";
import { isAvailable } from "./biometrics.js";
import { labelsOf } from "./platform.js";
import { platform } from "./preferences.js";
import { watch } from "./message.js";

const CODE_DIGITS = 6;

place("activation", begin);

/** @param {object} [phone] this phone, when it is active and a username is added to it */
async function begin(phone) {
  const flow = { phone, platform: await platform() };
  flow.labels = labelsOf(flow.platform);
  instructions(flow);
}

const parts = (flow) => ({
  when: {
    ios: flow.labels === "ios",
    android: flow.labels === "android",
    first: !flow.phone,
    adding: flow.phone,
  },
});

function instructions(flow) {
  show("instructions", {
    ...parts(flow),
    deeds: { back: () => go("home"), continue: () => credentials(flow) },
  });
}

function credentials(flow) {
  show("credentials", {
    ...parts(flow),
    deeds: {
      back: () => instructions(flow),
      continue: async (root) => {
        const [username, password] = ["username", "password"].map((n) => root.querySelector(`[name=${n}]`).value);
        const body = { username, password, platform: flow.platform };
        flow.started = await call("POST", "activation/start", body, { signer: flow.phone });
        flow.mayBiometrics = !flow.phone && (await isAvailable(flow.started.webauthn.rp.id));
        agreement(flow);
      },
    },
  });
}

// A username that has a device already

function agreement(flow) {
  const { is_needed, pin_may_replace } = flow.started.agreement;
  if (!is_needed) return numbers(flow);
  return pin_may_replace ? recover(flow) : otherDevice(flow);
}

function recover(flow) {
  show("recover", {
    fill: { username: flow.started.username },
    deeds: {
      back: () => credentials(flow),
      yes: () => recoveryPin(flow),
      no: () => otherDevice(flow),
    },
  });
}

function recoveryPin(flow, next = numbers) {
  const root = show("recovery-pin", {
    deeds: {
      back: () => recover(flow),
      continue: () => {
        flow.recoveryPin = field.taken();
        next(flow);
      },
    },
  });
  const field = pinField(root, flow.started.pin, { isNew: false });
}

function otherDevice(flow) {
  const { devices, may_wait } = flow.started.agreement;
  const root = show("agree", {
    when: { devices: devices.length, wait: may_wait, nothing: !devices.length && !may_wait },
    deeds: {
      back: () => credentials(flow),
      ask: async (screen) => {
        const chosen = screen.querySelector("[name=device]:checked").value;
        const body = { activation: flow.started.activation, device: chosen };
        answer(flow, await call("POST", "activation/ask", body, { signer: flow.phone }));
      },
      wait: () => {
        flow.acceptsWait = true;
        numbers(flow);
      },
    },
  });
  if (devices.length) {
    const labels = devices.map(({ id, name, serial }) => ({ value: id, text: name, more: serial }));
    choices(root, "device", labels, labels[0].value);
  }
}

function answer(flow, { element: kind, question, expires_at }) {
  const root = show("agree-answer", {
    fill: { question: kind === "challenge_code" ? groups(question, CODE_DIGITS / 2) : question },
    when: { code: kind === "challenge_code", card: kind !== "challenge_code" },
    deeds: {
      back: () => otherDevice(flow),
      continue: async (screen) => {
        const response = screen.querySelector("[name=response]").value.trim();
        const body = { activation: flow.started.activation, response };
        await call("POST", "activation/agree", body, { signer: flow.phone });
        numbers(flow);
      },
    },
  });
  countDown(root, secondsTo(expires_at), { over: () => otherDevice(flow) });
}

// The number

function numbers(flow) {
  const { numbers: known, may_add_number } = flow.started;
  const isFixed = flow.recoveryPin || flow.acceptsWait; // then only the number first used will do
  const wanted = known.find((n) => n.is_first_used && isFixed) ?? known.find((n) => n.is_default) ?? known[0];
  const root = show("number", {
    ...parts(flow),
    when: { ...parts(flow).when, known: known.length, add: may_add_number && !isFixed, fixed: isFixed },
    deeds: {
      back: () => agreement(flow),
      add: () => addNumber(flow),
      get: (screen) => {
        const number = screen.querySelector("[name=number]:checked").value;
        return getCode(flow, { number });
      },
    },
  });
  const labels = known.map((n) => ({
    value: n.id,
    text: n.masked,
    more: n.is_first_used ? say("first_used") : n.is_default ? say("default_number") : "",
  }));
  choices(root, "number", labels, wanted?.id);
}

async function addNumber(flow) {
  const { countries } = await call("GET", "countries");
  const root = show("add-number", {
    ...parts(flow),
    deeds: {
      back: () => numbers(flow),
      get: (screen) => {
        const national = field.taken();
        return getCode(flow, { country: screen.querySelector("[name=country]").value, national });
      },
    },
  });
  const select = root.querySelector("[name=country]");
  const options = countries.map(({ country, calling_code }) => {
    const name = countryName(country);
    return { name, option: new Option(`${name} (+${calling_code})`, country) };
  });
  options.sort((a, b) => a.name.localeCompare(b.name, document.documentElement.lang));
  select.append(...options.map(({ option }) => option));
  const here = new Intl.Locale(navigator.language).maximize().region;
  if (countries.some(({ country }) => country === here)) select.value = here;
  const field = numberField(root);
  const example = () => {
    const found = countries.find(({ country }) => country === select.value);
    put(root.querySelector("[data-example]"), found ? say("number_example", { example: found.example }) : "");
  };
  select.addEventListener("change", example);
  example();
}

// The Activation Code

async function getCode(flow, number) {
  flow.number = number;
  const body = { activation: flow.started.activation, ...number };
  flow.sent = await call("POST", "activation/code", body, { signer: flow.phone });
  flow.code = "";
  code(flow);
}

function code(flow) {
  const withPin = flow.labels === "android" && asksPin(flow);
  const root = show("code", {
    ...parts(flow),
    fill: { masked: flow.sent.masked },
    when: {
      ...parts(flow).when,
      newPin: withPin && !flow.phone,
      knownPin: withPin && flow.phone,
      biometrics: flow.labels === "android" && flow.mayBiometrics,
    },
    deeds: {
      back: () => numbers(flow),
      resend: async () => {
        await getCode(flow, flow.number);
        put(document.querySelector("[data-sent-again]"), say("sent_again"));
      },
      activate: async (screen) => {
        flow.code = digits(screen.querySelector("[name=code]"));
        if (flow.code.length !== CODE_DIGITS) throw new Refused(0, local("code_short"));
        if (withPin) flow.pin = pin.taken();
        flow.wantsBiometrics = Boolean(screen.querySelector("[name=biometrics]")?.checked);
        await nothingIsAsked();
        return withPin || !needsElement(flow) ? complete(flow) : element(flow, complete, () => code(flow));
      },
    },
  });
  root.querySelector("[name=code]").value = flow.code ?? "";
  const pin = withPin ? pinField(root, flow.started.pin, { isNew: !flow.phone }) : null;
  times(root, flow.sent);
  const nothingIsAsked = watch(root, { activation: flow.started.activation }, { signer: flow.phone });
}

/** A recovered phone keeps its PIN; what is left to ask is face or finger. */
const needsElement = (flow) => asksPin(flow) || (flow.labels === "ios" && flow.mayBiometrics);

/** A wrong code, and a wrong PIN of the earlier phone, are corrected where they were typed. */
async function complete(flow) {
  if (!asksPin(flow)) flow.pin = flow.recoveryPin;
  try {
    await finish(flow);
  } catch (error) {
    if (["wrong_code", "code_over"].includes(error.code)) code(flow);
    else if (error.code === "wrong_pin" && !asksPin(flow)) recoveryPin(flow, code);
    else throw error;
    complain(error);
  }
}

function times(root, { expires_at, resend_at }) {
  countDown(root, secondsTo(expires_at), { words: "code_left" });
  const button = root.querySelector("[data-do=resend]");
  const words = root.querySelector("[data-resend]");
  function tick() {
    const left = secondsTo(resend_at);
    button.disabled = left > 0;
    put(words, left > 0 ? say("resend_in", { time: duration(left) }) : "");
    if (left <= 0) clearInterval(timer);
  }
  const timer = setInterval(tick, 1000);
  onLeave(() => clearInterval(timer));
  tick();
}

const secondsTo = (time) => Math.max(0, Math.ceil((Date.parse(time) - serverNow()) / 1000));

/** Radio buttons in the screen's `[data-choices]`. */
function choices(root, name, labels, chosen) {
  const list = root.querySelector(`[data-choices="${name}"]`);
  const template = document.getElementById("choice");
  for (const { value, text, more } of labels) {
    const entry = template.content.firstElementChild.cloneNode(true);
    const radio = entry.querySelector("input");
    Object.assign(radio, { name, value, checked: value === chosen });
    put(entry.querySelector("[data-fill=text]"), text);
    put(entry.querySelector("[data-fill=more]"), more ?? "");
    list.append(entry);
  }
}
