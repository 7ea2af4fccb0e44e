// The lower bound: the same requests, whose responses are read and not decoded.

import { call } from "./bytes.js";

const WORLD = "World";

// The bytes of a body.
async function one(origin) {
  const response = await call(origin, "SayHello", WORLD, {});
  return (await response.arrayBuffer()).byteLength;
}

export async function unary(origin, count) {
  let bytes = 0;
  for (let call = 0; call < count; call += 1) {
    bytes += await one(origin);
  }
  return [null, bytes];
}

export async function concurrent(origin, count) {
  const all = await Promise.all(Array.from({ length: count }, () => one(origin)));
  return [null, all.reduce((sum, bytes) => sum + bytes, 0)];
}

export async function stream(origin, count, size) {
  const metadata = { "x-bench-count": String(count), "x-bench-size": String(size) };
  const response = await call(origin, "SayHelloStreamReply", WORLD, metadata);
  const reader = response.body.getReader();
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return [null, bytes];
    }
    bytes += value.byteLength;
  }
}
