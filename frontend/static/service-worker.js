// Keeps the page for a start without a network: its document, which serves every route, and the files with a hash in their names.
// Documents come from the network where it answers in time, so a new version is taken at the next start.
//
// `cargo xtask page` fills in both constants. Without files, as trunk copies it, a worker removes itself and what earlier ones kept.

const VERSION = "";
// Relative to this script. The first one is the page's script.
const FILES = [];

// The path of the server, with slashes at both ends. Servers under other paths of the origin have caches of their own.
const BASE = new URL("./", location).pathname;
// index.html has the same rule.
const PREFIX = BASE === "/" ? "chinwag-page-" : `chinwag-page:${BASE}:`;
const CACHE = PREFIX + VERSION;

// The path of the page's script, by which a page knows its version.
const SCRIPT = BASE + FILES[0];

// Names of files whose content never changes, also those of other versions.
const HASHED = /-[0-9a-f]{16}\.[a-z]+$/;
// The page's routes, below the path. Others may be those of another server.
const ROUTE = /^(rooms|greeter|settings|room\/.+|explorer(\/.+)?)?\/?$/;

// Longest wait for a document from the network, in milliseconds.
const NETWORK_TIMEOUT_MS = 2_000;

addEventListener("install", (event) => {
    // A page of the version before goes on with the files that are still kept for it.
    skipWaiting();
    if (FILES.length > 0) {
        event.waitUntil(keep());
    }
});

addEventListener("activate", (event) => {
    event.waitUntil(FILES.length > 0 ? replace() : leave());
});

// A page asks for the version. Chromium forgets that this worker is not to wait when the one before is started again at that moment.
addEventListener("message", ({ source }) => {
    skipWaiting();
    if (FILES.length > 0) {
        source.postMessage(SCRIPT);
    }
});

addEventListener("fetch", (event) => {
    const { request } = event;
    const { origin, pathname } = new URL(request.url);
    if (FILES.length === 0 || request.method !== "GET" || origin !== location.origin) {
        return;
    }
    if (request.mode === "navigate") {
        if (ROUTE.test(pathname.slice(BASE.length))) {
            event.respondWith(page(request));
        }
    } else if (HASHED.test(pathname)) {
        event.respondWith(file(request));
    }
});

async function keep() {
    const cache = await caches.open(CACHE);
    const index = await fetch(BASE, { cache: "no-cache", redirect: "error" });
    if (!index.ok || !(await index.clone().text()).includes(FILES[0])) {
        throw new Error("the server has another version by now");
    }
    await cache.addAll(FILES);
    await cache.put(BASE, index);
}

async function earlierCaches() {
    return (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
}

async function replace() {
    // Pages of the version before may be open.
    const older = (await earlierCaches()).slice(0, -1);
    await Promise.all(older.map((name) => caches.delete(name)));
}

async function leave() {
    await Promise.all((await earlierCaches()).map((name) => caches.delete(name)));
    await registration.unregister();
}

async function page(request) {
    const network = fetch(request);
    const timeout = new Promise((resolve) => setTimeout(resolve, NETWORK_TIMEOUT_MS));
    const answer = await Promise.race([network.catch(() => {}), timeout]);
    // A proxy without a server behind it gives an error of its own.
    if (answer && answer.status < 500) {
        return answer;
    }
    return (await kept(BASE, { cacheName: CACHE })) ?? answer ?? network;
}

async function file(request) {
    return (await kept(request)) ?? fetch(request);
}

// A good response that is kept. A storage that fails has none.
async function kept(request, options) {
    const response = await caches.match(request, { ignoreVary: true, ...options }).catch(() => {});
    return response?.ok ? response : undefined;
}
