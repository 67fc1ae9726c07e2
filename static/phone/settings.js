/** Settings, and what ends a phone: frozen, retired, erased. */

import * as keys from "./keys.js";
import * as push from "./push.js";
import { call, Unreachable } from "./api.js";
import { chooseLanguage, choosePlatform, platform } from "./preferences.js";
import { erase, read, write } from "./store.js";
import { go, place } from "./places.js";
import { pinField } from "./fields.js";
import { say } from "./words.js";
import { show, speak } from "./screens.js";
import { toBase64url } from "./bytes.js";

place("settings", settings);
place("failed", failed);

async function settings() {
  const phone = await read("phone");
  const standing = phone ? push.standing(phone) : "impossible";
  const root = show("settings", {
    when: { phone, notify: standing === "default", notified: standing === "granted", denied: standing === "denied" },
    deeds: {
      back: () => go("home"),
      language: (_, { dataset }) => chooseLanguage(dataset.language),
      platform: async (_, { dataset }) => {
        await choosePlatform(dataset.platform);
        await settings();
      },
      notify: async () => {
        await push.allow(phone);
        await settings();
      },
      pin: () => changePin(phone),
      erase: () => confirmErase(),
    },
  });
  mark(root, "language", document.documentElement.lang);
  mark(root, "platform", await platform());
}

function mark(root, name, value) {
  for (const button of root.querySelectorAll(`button[data-do="${name}"]`)) {
    button.setAttribute("aria-pressed", String(button.dataset[name] === value));
  }
}

function changePin(phone) {
  const root = show("old-pin", {
    deeds: { back: settings, continue: () => newPin(phone, old.taken()) },
  });
  const old = pinField(root, undefined, { isNew: false });
}

function newPin(phone, oldPin) {
  let lost = null; // what was sent, when no answer came: the portal may have taken it
  const root = show("new-pin", {
    deeds: {
      back: settings,
      change: async () => {
        const pin = field.taken();
        const pinKey = keys.makeRawKey();
        const changed = await keys.underNewPin(phone, oldPin, pin, pinKey);
        const send = (prove) =>
          call("POST", "pin", { pin, pin_key: toBase64url(pinKey) }, { signer: phone, prove });
        try {
          await send(keys.proveByPin(phone, oldPin));
        } catch (error) {
          if (error.code !== "wrong_pin" || !lost) {
            if (error instanceof Unreachable) lost ??= { pin, changed };
            throw error;
          }
          await send(keys.proveByPin(lost.changed, lost.pin));
        }
        await write("phone", changed);
        await settings();
        speak(say("pin_changed"));
      },
    },
  });
  const field = pinField(root);
}

function confirmErase() {
  show("erase", {
    deeds: {
      back: settings,
      erase: async () => {
        await Promise.all([erase("phone"), erase("waiting")]);
        await go("home");
      },
    },
  });
}

/** Refusals that concern the phone itself have screens of their own; true when one was shown. */
async function failed(error) {
  const phone = await read("phone");
  if (!phone) return false;
  if (error.code === "phone_frozen") {
    ended("frozen", error);
    return true;
  }
  if (error.code === "phone_retired") {
    await erase("phone");
    ended("retired", error);
    return true;
  }
  if (error.code === "invalid_signature") {
    ended("unknown", error);
    return true;
  }
  return false;
}

function ended(name, { title, sentence, cure }) {
  show(name, {
    fill: { title, sentence, cure },
    deeds: {
      register: async () => {
        await erase("phone");
        await go("activation");
      },
      look: () => go("home"),
      erase: () => confirmErase(),
    },
  });
}
