/**
 * The service worker, started by /phone/sw.js, which says in `SHELL` what belongs to the app. It keeps the
 * static shell in every language and nothing else: no answer of the portal, nothing about a person.
 */

/* global SHELL, clients */

const CACHE = `phone-${SHELL.version}`;
const PAGES = Object.values(SHELL.pages);

/** A newer worker waits until the app is closed: an open page finds all its modules, of its own version. */
self.addEventListener("install", (event) => event.waitUntil(fill()));

async function fill() {
  const cache = await caches.open(CACHE);
  const how = { credentials: "omit", cache: "reload" }; // as nobody in particular
  await cache.addAll([...PAGES, ...SHELL.files].map((path) => new Request(path, how)));
}

self.addEventListener("activate", (event) => {
  event.waitUntil(sweep().then(() => clients.claim()));
});

async function sweep() {
  const old = (await caches.keys()).filter((name) => name.startsWith("phone-") && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin) return;
  if (event.request.mode === "navigate") {
    if (pathname === SHELL.home) event.respondWith(language().then((code) => kept(event, SHELL.pages[code])));
    else if (PAGES.includes(pathname)) event.respondWith(kept(event, pathname));
  } else if (SHELL.files.includes(pathname)) {
    event.respondWith(kept(event, pathname));
  }
});

async function kept(event, path) {
  const cache = await caches.open(CACHE);
  return (await cache.match(path, { ignoreVary: true })) ?? fetch(event.request);
}

/** The chosen language, or the browser's. */
async function language() {
  const chosen = (await settings())?.language;
  if (chosen in SHELL.pages) return chosen;
  return navigator.language.startsWith("zh") ? "zh-hans" : SHELL.fallback;
}

/** As static/phone/store.js keeps them; a database that is not there yet is left alone. */
function settings() {
  return new Promise((resolve) => {
    const request = indexedDB.open("phone");
    request.onupgradeneeded = () => request.transaction.abort();
    request.onerror = () => resolve(undefined);
    request.onsuccess = () => {
      const database = request.result;
      const asked = database.transaction("kept").objectStore("kept").get("settings");
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => resolve(undefined);
      asked.transaction.oncomplete = () => database.close();
    };
  });
}

// Notifications. The message says "look", and which request; the words are our own.

self.addEventListener("push", (event) => event.waitUntil(notify(event.data)));

async function notify(data) {
  const { title, body } = SHELL.words[await language()];
  await self.registration.showNotification(title, { body, tag: tagOf(data), icon: SHELL.icon });
  for (const client of await windows()) client.postMessage("look");
}

/** A resent message replaces the one before. */
function tagOf(data) {
  try {
    return String(data.json().id);
  } catch {
    return "look";
  }
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openApp());
});

async function openApp() {
  const [open] = await windows();
  if (!open) return clients.openWindow(SHELL.home);
  open.postMessage("look");
  return open.focus();
}

async function windows() {
  const all = await clients.matchAll({ type: "window" });
  return all.filter(({ url }) => [SHELL.home, ...PAGES].includes(new URL(url).pathname));
}
