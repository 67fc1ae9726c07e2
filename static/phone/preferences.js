/** What the holder chose: the language of the words, and in a demo whose labels the screens carry. */

import { change, read } from "./store.js";
import { detect } from "./platform.js";

export async function platform() {
  return (await read("settings"))?.platform ?? detect(navigator);
}

export function choosePlatform(chosen) {
  return change("settings", (kept) => ({ ...kept, platform: chosen }));
}

/** The page of the other language lies in the cache beside this one, so this works offline. */
export async function chooseLanguage(chosen) {
  await change("settings", (kept) => ({ ...kept, language: chosen }));
  location.replace(`/phone/${chosen}/`);
}

/** Is this page in the language that was chosen? If not, leave for the one that is. */
export async function inChosenLanguage() {
  const chosen = (await read("settings"))?.language;
  if (!chosen || chosen === document.documentElement.lang) return true;
  if (!document.querySelector(`[data-language="${chosen}"]`)) return true;
  location.replace(`/phone/${chosen}/`);
  return false;
}
