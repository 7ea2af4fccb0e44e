// The functions by which the program loads its parts. dev/pack writes the names in capitals, and below one line for each part.

import { initSync } from "GLUE";

let imports;

/// The exports of the program that its parts import, once it runs.
function getImports() {
    if (!imports) {
        const { SHARED } = initSync();
        imports = { __wasm_split: { SHARED } };
    }
    return imports;
}

let turns = 3;
const waiting = [];

/// Fetches a module. A browser has six connections of HTTP/1.1 to a host, and a network that falls silent keeps each that waits for
/// an answer: three are left for calls, by which the page finds that out.
async function fetchModule(address) {
    if (turns > 0) turns--;
    else await new Promise((go) => waiting.push(go));
    try {
        const response = await fetch(new URL(address, import.meta.url), { signal: AbortSignal.timeout(60000) });
        return new Response(await response.arrayBuffer(), response);
    } finally {
        const next = waiting.shift();
        if (next) next();
        else turns++;
    }
}

const modules = new Map();

/// Loads a module once. One that could not be loaded is tried again the next time.
function load(address) {
    if (!modules.has(address)) {
        const loading = WebAssembly.instantiateStreaming(fetchModule(address), getImports());
        modules.set(address, loading);
        loading.catch(() => modules.delete(address));
    }
    return modules.get(address);
}

/// A function that loads modules, in any order, and calls back whether all of them are there. The page says so when one is not.
const part = (...addresses) => async (callback, data) => {
    const results = await Promise.allSettled(addresses.map(load));
    const isLoaded = results.every(({ status }) => status === "fulfilled");
    getImports().__wasm_split.__indirect_function_table.get(callback)(data, isLoaded);
};

