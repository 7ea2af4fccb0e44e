// The browser's database with the copy of the chat. Every function fails where there is no database.

import { ownName } from "../../base.js";

const NAME = ownName("chinwag");
const ENTRIES = "kept";

let opened = null;

function open() {
    opened ??= new Promise((resolve, reject) => {
        const request = indexedDB.open(NAME, 1);
        request.onupgradeneeded = () => request.result.createObjectStore(ENTRIES);
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
            const database = request.result;
            // The browser closes it when a person deletes the site's data.
            database.onclose = () => {
                opened = null;
            };
            database.onversionchange = () => database.close();
            resolve(database);
        };
    });
    return opened;
}

/// Runs `use` with the entries. Returns its result when the transaction has ended.
async function transact(mode, use) {
    const transaction = (await open()).transaction(ENTRIES, mode);
    const result = use(transaction.objectStore(ENTRIES));
    await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
    });
    return result;
}

/// The values of `keys`, `undefined` where there is none.
export async function read(keys) {
    const requests = await transact("readonly", (entries) => keys.map((key) => entries.get(key)));
    return requests.map((request) => request.result);
}

/// Writes entries, and removes those whose key is neither in `keys` nor in `others`.
export async function write(keys, values, others) {
    await transact("readwrite", (entries) => {
        keys.forEach((key, at) => entries.put(values[at], key));
        const stay = new Set([...keys, ...others]);
        entries.getAllKeys().onsuccess = ({ target }) => {
            target.result.filter((key) => !stay.has(key)).forEach((key) => entries.delete(key));
        };
    });
}

/// Removes all entries.
export function clear() {
    // Without a database there is nothing to remove.
    transact("readwrite", (entries) => entries.clear()).catch(() => {});
}
