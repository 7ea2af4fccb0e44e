// The service worker, which keeps the page for a start without a network. Browsers have none on insecure pages and in some private windows.

import { basePath } from "./base.js";

let registration;
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

/// Asks the server for a new version.
export function check() {
    isWanted = true;
    registration?.update().catch(() => {});
}
