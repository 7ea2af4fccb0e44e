// The lock and the channel that the tabs of a browser share.

import { ownName } from "../../base.js";

const NAME = ownName("chinwag.stream");

const channel = makeChannel();
// Requests for the lock: at most one that waits for its turn, and one that stole it.
let requests = [];

/// Whether this browser has both. Locks need a secure context.
export function supported() {
    return Boolean(globalThis.navigator?.locks && channel);
}

/// `null` where a browser has no channels, or refuses them because it blocks storage, as Firefox does.
function makeChannel() {
    try {
        return new BroadcastChannel(NAME);
    } catch {
        return null;
    }
}

/// Calls `message` with every message of another tab.
export function listen(message) {
    if (channel) {
        channel.onmessage = (event) => message(event.data);
    }
}

/// Sends a message to all other tabs.
export function post(message) {
    channel?.postMessage(message);
}

/// Waits for the lock, or steals it from the tab that holds it. `changed(true)` when this tab holds it, `changed(false)`
/// when another tab stole it. A tab that waits already goes on waiting.
export function request(steal, changed) {
    if (!steal && requests.some((other) => !other.steal)) {
        return;
    }
    const own = { steal, over: false, release: null };
    const released = new Promise((resolve) => {
        own.release = resolve;
    });
    const held = () => {
        if (!own.over) {
            changed(true);
        }
        return released;
    };
    const ended = () => {
        requests = requests.filter((other) => other !== own);
    };
    requests.push(own);
    navigator.locks.request(NAME, { steal }, held).then(ended, () => {
        ended();
        if (!own.over) {
            changed(false);
        }
    });
}

/// Gives the lock back, and stops waiting for it.
export function release() {
    for (const own of requests) {
        own.over = true;
        own.release();
    }
    requests = [];
}

/// Calls `changed(true)` when the browser freezes the page, and `changed(false)` when it goes on.
export function lifecycle(changed) {
    document.addEventListener("freeze", () => changed(true));
    document.addEventListener("resume", () => changed(false));
}
