/** Notifications: docs/phone-protocol.md section 10. */

import { call } from "./api.js";
import { fromBase64url } from "./bytes.js";

const registration = () => navigator.serviceWorker?.getRegistration("/phone/");

/** "granted", "denied", "default", or "impossible" in this browser or with this portal. */
export function standing({ pushKey }) {
  if (!pushKey || !("PushManager" in window) || !("Notification" in window)) return "impossible";
  return Notification.permission;
}

/** Ask the holder, subscribe, and tell the portal. False when the holder said no. */
export async function allow(phone) {
  if ((await Notification.requestPermission()) !== "granted") return false;
  await subscribe(phone);
  return true;
}

export async function subscribe(phone) {
  const worker = await registration();
  const options = { userVisibleOnly: true, applicationServerKey: fromBase64url(phone.pushKey) };
  const found = (await worker.pushManager.getSubscription()) ?? (await worker.pushManager.subscribe(options));
  const { endpoint, expirationTime, keys } = found.toJSON();
  await call("PUT", "push", { endpoint, expirationTime, keys }, { signer: phone });
}

export async function end(phone) {
  const found = await (await registration())?.pushManager?.getSubscription();
  await found?.unsubscribe();
  await call("DELETE", "push", undefined, { signer: phone });
}
