// improbable's grpc-web over its WebSocket transport: a socket for each call. Its server side is grpcwebproxy.

import { grpc } from "@improbable-eng/grpc-web";
import { HelloReply, request } from "./greeter_grpc_web.js";

const service = { serviceName: "helloworld.Greeter" };

const method = (methodName, requestStream, responseStream) => ({
  methodName,
  service,
  requestStream,
  responseStream,
  requestType: Object,
  responseType: HelloReply,
});

const sayHello = method("SayHello", false, false);
const sayHelloStreamReply = method("SayHelloStreamReply", false, true);
const sayHelloClientStream = method("SayHelloClientStream", true, false);
const sayHelloBidiStream = method("SayHelloBidiStream", true, true);

// Begins a call. `onMessage` gets each reply; the promise ends with the call.
function begin(origin, descriptor, metadata, onMessage) {
  const client = grpc.client(descriptor, { host: origin, transport: grpc.WebsocketTransport() });
  const ended = new Promise((resolve, reject) => {
    client.onMessage((reply) => onMessage(reply.getMessage()));
    client.onEnd((code, message) => {
      if (code === grpc.Code.OK) {
        resolve();
      } else {
        reject(new Error(`status ${code}: ${message}`));
      }
    });
  });
  client.start(new grpc.Metadata(metadata));
  return { client, ended };
}

export async function one(origin) {
  let length = 0;
  const { client, ended } = begin(origin, sayHello, {}, (text) => (length = text.length));
  client.send(request("World"));
  client.finishSend();
  await ended;
  return length;
}

export async function unary(origin, count) {
  let bytes = 0;
  for (let call = 0; call < count; call += 1) {
    bytes += await one(origin);
  }
  return [count, bytes];
}

export async function concurrent(origin, count) {
  const replies = await Promise.all(Array.from({ length: count }, () => one(origin)));
  return [replies.length, replies.reduce((sum, bytes) => sum + bytes, 0)];
}

export async function stream(origin, count, size) {
  const metadata = { "x-bench-count": String(count), "x-bench-size": String(size) };
  let messages = 0;
  let bytes = 0;
  const { client, ended } = begin(origin, sayHelloStreamReply, metadata, (text) => {
    messages += 1;
    bytes += text.length;
  });
  client.send(request("World"));
  client.finishSend();
  await ended;
  return [messages, bytes];
}

export async function upload(origin, count, size) {
  const name = "x".repeat(size);
  let reply = "";
  const { client, ended } = begin(origin, sayHelloClientStream, {}, (text) => (reply = text));
  for (let sent = 0; sent < count; sent += 1) {
    client.send(request(name));
  }
  client.finishSend();
  await ended;
  return reply.split(" ").map(Number);
}

export async function ping_pong(origin, count) {
  let messages = 0;
  let bytes = 0;
  const { client, ended } = begin(origin, sayHelloBidiStream, {}, (text) => {
    messages += 1;
    bytes += text.length;
    if (messages < count) {
      client.send(request("World"));
    } else {
      client.finishSend();
    }
  });
  client.send(request("World"));
  await ended;
  return [messages, bytes];
}
