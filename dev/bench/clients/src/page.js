// The page that measures. It asks for a job, does it, and reports the result when it asks for the next one.

import { call, replyOf } from "./bytes.js";

const parameters = new URLSearchParams(location.search);

// The address of the server that is called. Some clients need another one than the page's.
const server = parameters.get("server") ?? location.origin;

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

// Pairs that warm up.
const WARM_UP = 10;
// The module of bare `fetch`, which is loaded and not bundled.
const BARE = "fetch";

// Batches of the client and of bare `fetch` take turns, and so does their order. The ratios of their times are told.
async function measurePairs({ client, memory }, { kind, count, size, pairs }) {
  const bare = await import(`/${BARE}.js`);
  const time = async (module) => {
    const start = performance.now();
    const [messages, bytes] = await module[kind](server, count, size);
    return { milliseconds: performance.now() - start, messages, bytes };
  };
  const ratios = [];
  let own;
  for (let pair = 0; pair < WARM_UP + pairs; pair += 1) {
    let base = pair % 2 ? await time(bare) : undefined;
    own = await time(client);
    base ??= await time(bare);
    ratios.push(own.milliseconds / base.milliseconds);
  }
  return { ...own, memory: memory(), ratios: ratios.slice(WARM_UP) };
}

// The time is that of all calls of the job together: far longer than the clock's resolution.
async function measure(loaded, job) {
  if (job.pairs) {
    return measurePairs(loaded, job);
  }
  const { client, memory } = loaded;
  const { kind, count, size } = job;
  const start = performance.now();
  const [messages, bytes] = await client[kind](server, count, size);
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
