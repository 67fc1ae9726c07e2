/**
 * What is kept on the phone: one IndexedDB store of named values.
 *
 * `phone`: id, platform, keys, salt, secret, pinKey (masked), credential, users, brand, pushKey.
 * `waiting`: an activation whose waiting time runs. `settings`: language, platform, clock.
 */

const DATABASE = "phone";
const STORE = "kept";

let opened;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function transact(mode, work) {
  const transaction = (await open()).transaction(STORE, mode, { durability: "strict" });
  const found = work(transaction.objectStore(STORE));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(found?.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

export function read(name) {
  return transact("readonly", (store) => store.get(name));
}

export function write(name, value) {
  return transact("readwrite", (store) => store.put(value, name));
}

/** Read, change and write in one transaction, so that two open windows do not undo each other. */
export function change(name, changed) {
  return transact("readwrite", (store) => {
    const request = store.get(name);
    request.onsuccess = () => store.put(changed(request.result), name);
  });
}

export function erase(name) {
  return transact("readwrite", (store) => store.delete(name));
}

/** Ask that the browser does not clear the keys when the disk is full. */
export async function persist() {
  await navigator.storage?.persist?.().catch(() => false);
}
