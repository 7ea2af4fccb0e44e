// What is measured against: the same requests, and the bytes of the answers read but not looked at.

import { call } from "./bytes.js";

const WORLD = "World";

// How many bytes a body has. What it holds is not counted.
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
