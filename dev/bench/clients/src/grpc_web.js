// grpc-web: binary for unary calls, text for streams, which it supports in text only.

import { GreeterClient, request } from "./greeter_grpc_web.js";

export async function unary(origin, count) {
  const client = new GreeterClient(origin, { format: "binary" });
  let bytes = 0;
  for (let call = 0; call < count; call += 1) {
    bytes += (await client.sayHello(request("World"), {})).getMessage().length;
  }
  return [count, bytes];
}

export async function concurrent(origin, count) {
  const client = new GreeterClient(origin, { format: "binary" });
  const calls = Array.from({ length: count }, () => client.sayHello(request("World"), {}));
  const replies = await Promise.all(calls);
  return [replies.length, replies.reduce((sum, reply) => sum + reply.getMessage().length, 0)];
}

export function stream(origin, count, size) {
  const metadata = { "x-bench-count": String(count), "x-bench-size": String(size) };
  let messages = 0;
  let bytes = 0;
  return new Promise((resolve, reject) => {
    new GreeterClient(origin, { format: "text" })
      .sayHelloStreamReply(request("World"), metadata)
      .on("data", (reply) => {
        messages += 1;
        bytes += reply.getMessage().length;
      })
      .on("error", reject)
      .on("end", () => resolve([messages, bytes]));
  });
}
