// The service worker, which keeps the page for a start without a network. Browsers have none on insecure pages and in some private windows.

import { basePath } from "./base.js";

// Time until a check that failed is repeated.
const REPETITION_MS = 5_000;
// A server that has just come back may drop the request, or that of one of the files.
const ATTEMPTS = 3;
// Longest wait for a new worker that replaces the one before.
const REPLACEMENT_TIMEOUT_MS = 2_000;

let registration;
let repetition;
let attemptsLeft = 0;

/// Registers the worker, and looks for a new version. Calls `replaced` whenever a worker keeps another version than this page.
export function register(replaced) {
    const { serviceWorker } = navigator;
    if (!serviceWorker) {
        return;
    }
    const own = new URL(import.meta.url).pathname;
    serviceWorker.addEventListener("message", ({ data }) => {
        if (data !== own) {
            replaced();
        }
    });
    serviceWorker.startMessages();
    serviceWorker.register(`${basePath()}service-worker.js`, { updateViaCache: "none" }).then(
        (registered) => {
            registration = registered;
            watch();
            registered.addEventListener("updatefound", watch);
            check();
        },
        () => {},
    );
}

/// Asks the server for a new version.
export function check() {
    attemptsLeft = ATTEMPTS;
    attempt();
}

function attempt() {
    clearTimeout(repetition);
    attemptsLeft -= 1;
    registration?.update().then(() => {
        // Before an update the active one may be older than the page.
        if (!registration.installing) {
            ask(registration.waiting ?? registration.active);
        }
    }, repeat);
}

function repeat() {
    if (attemptsLeft > 0) {
        repetition = setTimeout(attempt, REPETITION_MS);
    }
}

// Waits for a new worker to keep its files. It can be asked from then on: until the one before has ended its work, which may take
// minutes, it is not active.
function watch() {
    const { installing } = registration;
    installing?.addEventListener(
        "statechange",
        () => {
            if (installing.state === "redundant") {
                repeat();
            } else {
                ask(installing);
            }
        },
        { once: true },
    );
}

// The worker answers with the path of its page's script, and asks the browser again to let it replace the one before.
function ask(worker) {
    worker?.postMessage("version");
}

/// Loads the page again. A new worker replaces the one before first: Chromium loses the request of a page by a worker that is replaced
/// meanwhile, and would wait for its answer.
export function reload() {
    const begin = () => location.reload();
    const waiting = registration?.waiting;
    if (!waiting) {
        begin();
        return;
    }
    const timeout = setTimeout(begin, REPLACEMENT_TIMEOUT_MS);
    waiting.addEventListener("statechange", () => {
        if (waiting.state === "activated") {
            clearTimeout(timeout);
            begin();
        }
    });
    ask(waiting);
}
