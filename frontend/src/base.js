// The path under which the server is reached. The element `base` of the document names it, and the server writes that.

const element = document.querySelector("base");
const PATH = element ? new URL(element.href).pathname : "/";

/// The path, with slashes at both ends.
export function basePath() {
    return PATH;
}

/// Whether the server asks pages to trace their calls, by a header of the document.
export function tracesCalls() {
    const [document] = performance.getEntriesByType("navigation");
    return document?.serverTiming?.some(({ name }) => name === "traceparent") ?? false;
}

/// `name` as this server's own: servers under other paths share the browser's storage for the origin.
export function ownName(name) {
    return PATH === "/" ? name : PATH + name;
}
