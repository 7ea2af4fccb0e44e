// The page that measures. It asks for a job, does it, and reports the result when it asks for the next one. Its policy
// allows only calls to its own server.

import { call, replyOf } from "./bytes.js";

const parameters = new URLSearchParams(location.search);

async function next(report) {
  const metadata = { "x-bench-page": parameters.get("page") };
  const response = await call(location.origin, "SayHello", JSON.stringify(report), metadata);
  return JSON.parse(replyOf(new Uint8Array(await response.arrayBuffer())));
}

async function load() {
  const client = await import(`/${parameters.get("client")}.js`);
  // A client in Rust has to fetch its module first. A module's memory never shrinks.
  const module = await client.default?.();
  return { client, memory: () => module?.memory.buffer.byteLength ?? null };
}

// The time is that of all calls of the job together: far longer than the clock's resolution.
async function measure({ client, memory }, { kind, count, size }) {
  const start = performance.now();
  const [messages, bytes] = await client[kind](location.origin, count, size);
  return { milliseconds: performance.now() - start, messages, bytes, memory: memory() };
}

async function run() {
  try {
    const loaded = await load();
    let report = { ready: true, memory: loaded.memory() };
    for (;;) {
      report = await measure(loaded, await next(report));
    }
  } catch (error) {
    await next({ error: `${error} ${error?.stack ?? ""}` });
  }
}

run();
