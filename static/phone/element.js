/** Asks for the security element, face or finger or PIN, before a deed. */

import * as keys from "./keys.js";
import { complain, show } from "./screens.js";
import { isAvailable, NotConfirmed } from "./biometrics.js";
import { pinField } from "./fields.js";
import { say } from "./words.js";

/**
 * Does `deed(element)` with what the holder gives. Face or finger come first where the phone has them; a PIN is
 * asked when they fail. An element can `prove` a request and make a `passcode`.
 *
 * @param {object} phone
 * @param {object} ask
 * @param {string} ask.action the word on the button of the PIN screen
 * @param {() => void} ask.back
 * @param {boolean} [ask.needsKey] face or finger must open the OCRA key, not only say yes
 */
export async function confirm(phone, { action, back, needsKey = false }, deed) {
  if (await mayUseBiometrics(phone, needsKey)) {
    try {
      return await deed(byBiometrics(phone));
    } catch (error) {
      if (!(error instanceof NotConfirmed)) throw error;
      askPin(phone, action, back, deed);
      return complain(error);
    }
  }
  return askPin(phone, action, back, deed);
}

async function mayUseBiometrics({ credential }, needsKey) {
  if (!credential || (needsKey && !credential.hasPrf)) return false;
  return isAvailable(credential.rpId);
}

function askPin(phone, action, back, deed) {
  const root = show("pin", {
    fill: { action: say(action) },
    deeds: {
      back,
      confirm: () => {
        const pin = field.taken();
        return deed(byPin(phone, pin));
      },
    },
  });
  const field = pinField(root, undefined, { isNew: false });
}

export function byPin(phone, pin) {
  return {
    prove: keys.proveByPin(phone, pin),
    passcode: (user, question) => keys.passcodeByPin(phone, user, pin, question),
  };
}

function byBiometrics(phone) {
  return {
    prove: keys.proveByBiometrics(phone),
    passcode: (user, question) => keys.passcodeByBiometrics(phone, user, question),
  };
}
