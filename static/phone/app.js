/** Starts the app: the service worker, the chosen language, and the first screen. */

import "./home.js";
import * as push from "./push.js";
import * as waiting from "./waiting.js";
import { inChosenLanguage } from "./preferences.js";
import { go, placesOf } from "./places.js";
import { read } from "./store.js";
import { show } from "./screens.js";

placesOf(["activation"], () => import("./activation.js"));
placesOf(["wait"], () => import("./completion.js"));
placesOf(["passcode"], () => import("./passcode.js"));
placesOf(["prompt"], () => import("./prompts.js"));
placesOf(["settings", "failed"], () => import("./settings.js"));

const offline = document.getElementById("offline");
const showNetwork = () => (offline.hidden = navigator.onLine);

async function start() {
  if (!window.isSecureContext || !window.indexedDB) return show("unsupported");
  navigator.serviceWorker?.register("/phone/sw.js", { scope: "/phone/" }).catch(() => {});
  if (!(await inChosenLanguage())) return undefined;
  addEventListener("online", showNetwork);
  addEventListener("offline", showNetwork);
  showNetwork();
  waiting.start();
  await go("home");
  if (await read("phone")) await catchUp();
  return undefined;
}

/** What may have changed while the app was closed. Without a network it is asked at the next start. */
async function catchUp() {
  try {
    await waiting.refresh();
    const phone = await read("phone");
    if (push.standing(phone) === "granted") await push.subscribe(phone);
  } catch (error) {
    await go("failed", error);
  }
}

start();
