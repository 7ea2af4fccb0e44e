// connect-web, with the client that its own tool generates.

import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { Greeter } from "generated/helloworld_pb.js";

const greeter = (origin) => createClient(Greeter, createGrpcWebTransport({ baseUrl: origin }));

export async function unary(origin, count) {
  const client = greeter(origin);
  let bytes = 0;
  for (let call = 0; call < count; call += 1) {
    bytes += (await client.sayHello({ name: "World" })).message.length;
  }
  return [count, bytes];
}

export async function concurrent(origin, count) {
  const client = greeter(origin);
  const replies = await Promise.all(Array.from({ length: count }, () => client.sayHello({ name: "World" })));
  return [replies.length, replies.reduce((sum, reply) => sum + reply.message.length, 0)];
}

export async function stream(origin, count, size) {
  const headers = { "x-bench-count": String(count), "x-bench-size": String(size) };
  let messages = 0;
  let bytes = 0;
  for await (const reply of greeter(origin).sayHelloStreamReply({ name: "World" }, { headers })) {
    messages += 1;
    bytes += reply.message.length;
  }
  return [messages, bytes];
}
