// Carries one call by `fetch`, with few calls between WebAssembly and JavaScript: each costs more than the work here.
//
// A call reports events by `report(id, status, text, chunk, done)`:
// - the head: the HTTP status, the headers as lines of `name:value`, and what of the body came with it,
// - a chunk of the body: status 0 and no text,
// - the end: with the last of these events, or alone,
// - a failure: status -1, and its reason as the text; nothing follows.

// The longest time, in milliseconds, and the most bytes that a head waits for the end of its body.
const GATHER_MS = 5;
const GATHER_BYTES = 262144;

const CREDENTIALS = ["same-origin", "include", "omit"];

/// Sends a request. `fields` are lines: a header's name, its value, the next name.
export function start(url, fields, body, credentials, gather, id, report) {
    const controller = new AbortController();
    const call = { id, report, gather, controller, reader: null, reading: false, head: null, timer: 0 };
    const lines = fields.split("\n");
    const headers = [];
    for (let at = 1; at < lines.length; at += 2) {
        headers.push([lines[at - 1], lines[at]]);
    }
    const init = {
        method: "POST",
        cache: "no-store",
        redirect: "manual",
        credentials: CREDENTIALS[credentials],
        headers,
        // The memory of a program with threads is shared, which `fetch` does not take.
        body: body.slice(),
        signal: controller.signal,
    };
    fetch(url, init).then((response) => opened(call, response), (error) => failed(call, error));
    return call;
}

/// Asks for the next chunk, unless one is on its way.
export function read(call) {
    if (!call.reading) {
        call.reading = true;
        call.reader.read().then((result) => received(call, result), (error) => failed(call, error));
    }
}

/// Ends the call, and reports nothing more of it.
export function abort(call) {
    call.report = null;
    clearTimeout(call.timer);
    call.controller.abort();
}

/// Whether the browser is certain that there is no network.
export function offline() {
    return globalThis.navigator?.onLine === false;
}

function opened(call, response) {
    let text = "";
    response.headers.forEach((value, name) => {
        text += `${name}:${value}\n`;
    });
    // The browser hides which redirect it was.
    const status = response.type === "opaqueredirect" ? 302 : response.status;
    if (!response.body) {
        event(call, status, text, undefined, true);
        return;
    }
    call.reader = response.body.getReader();
    if (!call.gather) {
        event(call, status, text, undefined, false);
        return;
    }
    call.head = { status, text, chunks: [], size: 0 };
    call.timer = setTimeout(flush, GATHER_MS, call, false);
    read(call);
}

function received(call, { value, done }) {
    call.reading = false;
    const { head } = call;
    if (!head) {
        event(call, 0, undefined, value, done);
        return;
    }
    if (value) {
        head.chunks.push(value);
        head.size += value.length;
    }
    if (done || head.size >= GATHER_BYTES) {
        flush(call, done);
    } else {
        read(call);
    }
}

/// Reports the head, and the chunks that were gathered.
function flush(call, done) {
    const { head } = call;
    clearTimeout(call.timer);
    call.head = null;
    event(call, head.status, head.text, joined(head), done);
}

function joined({ chunks, size }) {
    if (chunks.length < 2) {
        return chunks[0];
    }
    const whole = new Uint8Array(size);
    let at = 0;
    for (const chunk of chunks) {
        whole.set(chunk, at);
        at += chunk.length;
    }
    return whole;
}

function failed(call, error) {
    if (call.head) {
        flush(call, false);
    }
    const reason = error?.message ?? error;
    event(call, -1, typeof reason === "string" ? reason : "no reason given", undefined, true);
}

function event(call, status, text, chunk, done) {
    call.report?.(call.id, status, text, chunk, done);
}
