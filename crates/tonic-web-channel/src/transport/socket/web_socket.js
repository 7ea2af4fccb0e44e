// One WebSocket that carries bytes. It reports events by `report(kind, reason, bytes)`.

const OPENED = 0;
const RECEIVED = 1;
const CLOSED = 2;

/// Opens a socket. Throws when the address is none, or a policy of the page forbids it.
export function open(url, protocol, report) {
    const socket = new WebSocket(url, protocol);
    socket.binaryType = "arraybuffer";
    const handle = { socket, report, leave: () => ended(handle, "the page was left") };
    socket.onopen = () => {
        // A server that does not know the protocol may accept the connection without it.
        if (socket.protocol === protocol) {
            handle.report?.(OPENED);
        } else {
            ended(handle, `the server does not speak ${protocol}`);
        }
    };
    socket.onmessage = ({ data }) => {
        if (typeof data === "string") {
            ended(handle, "the server sent text");
        } else {
            handle.report?.(RECEIVED, undefined, new Uint8Array(data));
        }
    };
    socket.onclose = ({ code, reason }) => {
        ended(handle, `the WebSocket was closed with code ${code}${reason && ": "}${reason}`);
    };
    // A page with an open socket cannot be kept in the back/forward cache.
    globalThis.addEventListener("pagehide", handle.leave);
    return handle;
}

/// Sends one message. A socket that is closed drops it.
export function send({ socket }, bytes) {
    if (socket.readyState === WebSocket.OPEN) {
        // The memory of a program with threads is shared, which a socket does not take.
        socket.send(bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice());
    }
}

/// Closes the socket, and reports nothing more of it.
export function close(handle) {
    handle.report = null;
    globalThis.removeEventListener("pagehide", handle.leave);
    handle.socket.close();
}

function ended(handle, reason) {
    const { report } = handle;
    close(handle);
    report?.(CLOSED, reason);
}
