// The service worker, which keeps the page for a start without a network. Browsers have none on insecure pages and in some private windows.

import { basePath } from "./base.js";

// Time until a check that failed is repeated.
const REPETITION_MS = 5_000;

let registration;
let repetition;
// Whether a check came before the registration, which waits until the page has loaded its parts.
let isWanted = false;

/// Registers the worker. Calls `replaced` when a worker of another version takes over, or has done so since the page started.
export function register(replaced) {
    const { serviceWorker } = navigator;
    if (!serviceWorker) {
        return;
    }
    const own = new URL(import.meta.url).pathname;
    const folder = (script) => script.slice(0, script.lastIndexOf("/"));
    serviceWorker.addEventListener("message", ({ data }) => {
        // A worker tells all pages of the origin, also those of servers under other paths.
        if (data !== own && folder(data) === folder(own)) {
            replaced();
        }
    });
    serviceWorker.startMessages();
    serviceWorker.register(`${basePath()}service-worker.js`, { updateViaCache: "none" }).then(
        (registered) => {
            registration = registered;
            registered.active?.postMessage("version");
            if (isWanted) {
                check();
            }
        },
        () => {},
    );
}

/// Asks the server for a new version. A server that has just come back may drop the request, which is then repeated twice.
export function check(attempts = 3) {
    isWanted = true;
    clearTimeout(repetition);
    registration?.update().catch(() => {
        if (attempts > 1) {
            repetition = setTimeout(check, REPETITION_MS, attempts - 1);
        }
    });
}
