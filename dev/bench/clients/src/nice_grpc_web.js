// nice-grpc-web over its WebSocket transport: a socket for each call. Its server side is grpcwebproxy.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { HelloReplySchema, HelloRequestSchema } from "generated/helloworld_pb.js";
import { createChannel, createClient, Metadata, WebsocketTransport } from "nice-grpc-web";

const method = (name, requestStream, responseStream) => ({
  path: `/helloworld.Greeter/${name}`,
  requestStream,
  responseStream,
  requestSerialize: (message) => toBinary(HelloRequestSchema, message),
  requestDeserialize: (bytes) => fromBinary(HelloRequestSchema, bytes),
  responseSerialize: (message) => toBinary(HelloReplySchema, message),
  responseDeserialize: (bytes) => fromBinary(HelloReplySchema, bytes),
  options: {},
});

const definition = {
  sayHello: method("SayHello", false, false),
  sayHelloStreamReply: method("SayHelloStreamReply", false, true),
  sayHelloClientStream: method("SayHelloClientStream", true, false),
  sayHelloBidiStream: method("SayHelloBidiStream", true, true),
};

export const greeter = (origin) => createClient(definition, createChannel(origin, WebsocketTransport()));

export const named = (name) => create(HelloRequestSchema, { name });

export async function unary(origin, count) {
  const client = greeter(origin);
  let bytes = 0;
  for (let call = 0; call < count; call += 1) {
    bytes += (await client.sayHello(named("World"))).message.length;
  }
  return [count, bytes];
}

export async function concurrent(origin, count) {
  const client = greeter(origin);
  const replies = await Promise.all(Array.from({ length: count }, () => client.sayHello(named("World"))));
  return [replies.length, replies.reduce((sum, reply) => sum + reply.message.length, 0)];
}

export async function stream(origin, count, size) {
  const metadata = Metadata({ "x-bench-count": String(count), "x-bench-size": String(size) });
  let messages = 0;
  let bytes = 0;
  for await (const reply of greeter(origin).sayHelloStreamReply(named("World"), { metadata })) {
    messages += 1;
    bytes += reply.message.length;
  }
  return [messages, bytes];
}

export async function upload(origin, count, size) {
  const message = named("x".repeat(size));
  async function* requests() {
    for (let sent = 0; sent < count; sent += 1) {
      yield message;
    }
  }
  const reply = await greeter(origin).sayHelloClientStream(requests());
  return reply.message.split(" ").map(Number);
}

export async function ping_pong(origin, count) {
  let next;
  async function* requests() {
    for (let sent = 0; sent < count; sent += 1) {
      const replied = new Promise((resolve) => (next = resolve));
      yield named("World");
      await replied;
    }
  }
  let messages = 0;
  let bytes = 0;
  for await (const reply of greeter(origin).sayHelloBidiStream(requests())) {
    messages += 1;
    bytes += reply.message.length;
    next();
  }
  return [messages, bytes];
}
