/** The end of an activation: the security element, the keys, and what came of it. */

import * as biometrics from "./biometrics.js";
import * as keys from "./keys.js";
import * as push from "./push.js";
import { call, Refused, serverNow } from "./api.js";
import { change, erase, persist, read, write } from "./store.js";
import { go, place } from "./places.js";
import { moment, say } from "./words.js";
import { pinField } from "./fields.js";
import { put, show } from "./screens.js";
import { toBase64url } from "./bytes.js";

place("wait", waitScreen);

/** A phone that is recovered keeps the PIN it had. */
export const asksPin = (flow) => !flow.recoveryPin || Boolean(flow.phone);

/** iOS asks for the security element on a screen of its own (KB2278 step 6). */
export function element(flow, done, back) {
  const root = show("element", {
    when: {
      first: !flow.phone,
      adding: flow.phone,
      biometrics: flow.mayBiometrics,
      newPin: asksPin(flow) && !flow.phone,
      knownPin: flow.phone,
      onlyPin: !flow.mayBiometrics,
    },
    deeds: {
      back,
      continue: (screen) => {
        if (asksPin(flow)) flow.pin = field.taken();
        flow.wantsBiometrics = Boolean(screen.querySelector("[name=biometrics]")?.checked);
        return done(flow);
      },
    },
  });
  const field = asksPin(flow) ? pinField(root, flow.started.pin, { isNew: !flow.phone }) : null;
}

/** The last call. `flow.made` stays, so that a repeated call registers the same keys. */
export async function finish(flow) {
  flow.made ??= {
    phone: flow.phone ?? (await keys.makePhone()),
    pinKey: keys.makeRawKey(),
    ocraKey: keys.makeRawKey(),
  };
  const answer = await activate(flow);
  if (answer.status === 202) return startWaiting(flow, answer);
  const kept = await keep(flow, answer);
  await erase("waiting");
  return done(flow, kept, answer);
}

async function activate(flow) {
  const { made, started } = flow;
  const body = { activation: started.activation, code: flow.code, ocra_key: toBase64url(made.ocraKey) };
  if (flow.recoveryPin) body.recovery_pin = flow.recoveryPin;
  if (flow.acceptsWait) body.accepts_wait = true;
  const how = { signer: made.phone };
  if (flow.phone) {
    how.prove = keys.proveByPin(flow.phone, flow.pin);
  } else {
    body.public_key = await keys.publicKeyOf(made.phone);
    body.name = say(`phone_${flow.platform}`);
    body.pin = flow.pin;
    body.pin_key = toBase64url(made.pinKey);
    if (flow.wantsBiometrics) body.webauthn = (await registered(flow)).registration;
  }
  try {
    return await call("POST", "activation/activate", body, how);
  } catch (error) {
    if (error.code === "pin_not_safe") throw withObjections(error);
    throw error;
  }
}

async function registered(flow) {
  flow.registered ??= await biometrics.register(flow.started.webauthn);
  return flow.registered;
}

const OBJECTIONS = ["common", "birth_date", "document", "phone_number", "name"];

/** The guideline that was broken, by its name (KB2269). */
function withObjections(error) {
  const said = advice(error.facts.objections ?? []);
  return new Refused(error.status, { ...error.facts, ...wordsOf(error), sentence: [error.sentence, ...said].join(" ") });
}

const wordsOf = ({ code, title, cure }) => ({ code, title, cure });

const advice = (found) => found.filter((one) => OBJECTIONS.includes(one)).map((one) => say(`objection_${one}`));

/** First under the PIN, so that nothing is lost when the holder now puts the phone away. */
async function keep(flow, answer) {
  const { made, pin } = flow;
  const user = await keys.keepUser(made.phone, pin, null, made.ocraKey, answer);
  if (flow.phone) {
    await change("phone", (kept) => ({
      ...kept,
      users: [...kept.users.filter((one) => one.user !== user.user), user],
    }));
  } else {
    await write("phone", {
      ...made.phone,
      id: answer.phone,
      platform: flow.platform,
      brand: answer.brand,
      pinKey: await keys.maskPinKey(made.phone, pin, made.pinKey),
      credential: flow.wantsBiometrics ? flow.registered.credential : null,
      pushKey: answer.push_key,
      users: [user],
    });
    await persist();
  }
  return read("phone");
}

function done(flow, phone, answer) {
  const mayBind = Boolean(phone.credential?.hasPrf);
  const mayNotify = push.standing(phone) === "default";
  const root = show("done", {
    fill: { username: answer.username, brand: answer.brand },
    when: {
      advice: answer.pin_advice?.length,
      bind: mayBind,
      notify: mayNotify,
      noNotify: push.standing(phone) === "denied",
    },
    deeds: {
      done: () => go("home"),
      bind: async (screen) => {
        await bind(flow, phone, answer);
        screen.querySelector("[data-bind]").remove();
      },
      notify: async (screen) => {
        await push.allow(phone);
        screen.querySelector("[data-notify]").remove();
      },
    },
  });
  const place_ = root.querySelector("[data-advice]");
  if (place_) put(place_, advice(answer.pin_advice).join(" "));
  if (push.standing(phone) === "granted") push.subscribe(phone).catch(() => {});
}

/** Let face or finger open the new OCRA key, too. */
async function bind(flow, phone, { user }) {
  const wrapKey = await biometrics.unlock(phone.credential);
  if (!wrapKey) return;
  const wrapped = await biometrics.wrap(wrapKey, flow.made.ocraKey);
  await change("phone", (kept) => ({
    ...kept,
    users: kept.users.map((one) => (one.user === user ? { ...one, wrapped } : one)),
  }));
}

// The waiting time

async function startWaiting(flow, { ready_at }) {
  const { activation, username, webauthn, pin } = flow.started;
  const { code, platform, labels, mayBiometrics } = flow;
  const started = { activation, username, webauthn, pin };
  const waiting = { username, ready_at, started, code, platform, labels, mayBiometrics, isAdded: Boolean(flow.phone) };
  await write("waiting", waiting);
  waitScreen(waiting);
}

/** Keys and PIN are made at the end: while it waits there is nothing here worth stealing. */
async function waitScreen(waiting) {
  const phone = waiting.isAdded ? await read("phone") : undefined;
  const isReady = Date.parse(waiting.ready_at) <= serverNow();
  const flow = { ...waiting, phone, acceptsWait: true };
  show("wait", {
    fill: { username: waiting.username, ready: moment(waiting.ready_at) },
    when: { ready: isReady, notYet: !isReady },
    deeds: {
      back: () => go("home"),
      activate: () => element(flow, finish, () => waitScreen(waiting)),
      look: () => waitScreen(waiting),
      end: async () => {
        await erase("waiting");
        await go("home");
      },
    },
  });
}
