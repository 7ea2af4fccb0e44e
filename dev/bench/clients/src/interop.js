// Both clients under one interface, for the end-to-end tests: `interop.<client>.<call>(origin, name, options)`
// returns `{ greetings, code, message }`, the code as gRPC's number. Options: `timeout` in milliseconds,
// `metadata`, and for grpc-web's unary calls `format`.

import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { Greeter } from "generated/helloworld_pb.js";
import { RpcError } from "grpc-web";
import { GreeterClient, request } from "./greeter_grpc_web.js";

const OK = 0;

const connectClient = (origin) => createClient(Greeter, createGrpcWebTransport({ baseUrl: origin }));

const connectOptions = ({ metadata, timeout }) => ({ headers: metadata, timeoutMs: timeout });

// Runs `call`, which adds to the greetings as they come.
async function connectEnd(call) {
  const greetings = [];
  try {
    await call(greetings);
    return { greetings, code: OK, message: "" };
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    return { greetings, code, message: rawMessage };
  }
}

const connect = {
  unary: (origin, name, options) =>
    connectEnd(async (greetings) => {
      const reply = await connectClient(origin).sayHello({ name }, connectOptions(options));
      greetings.push(reply.message);
    }),

  stream: (origin, name, options) =>
    connectEnd(async (greetings) => {
      const client = connectClient(origin);
      for await (const reply of client.sayHelloStreamReply({ name }, connectOptions(options))) {
        greetings.push(reply.message);
      }
    }),
};

// grpc-web takes the deadline as metadata, the moment in milliseconds.
const grpcWebMetadata = ({ metadata, timeout }) =>
  timeout === undefined ? { ...metadata } : { ...metadata, deadline: String(Date.now() + timeout) };

const grpcWeb = {
  async unary(origin, name, options) {
    const client = new GreeterClient(origin, { format: options.format });
    try {
      const reply = await client.sayHello(request(name), grpcWebMetadata(options));
      return { greetings: [reply.getMessage()], code: OK, message: "" };
    } catch (error) {
      if (!(error instanceof RpcError)) {
        throw error;
      }
      return { greetings: [], code: error.code, message: error.message };
    }
  },

  stream(origin, name, options) {
    const client = new GreeterClient(origin, { format: "text" });
    const greetings = [];
    return new Promise((resolve) => {
      let status = { code: OK, details: "" };
      const end = ({ code, details }) => resolve({ greetings, code, message: details });
      client
        .sayHelloStreamReply(request(name), grpcWebMetadata(options))
        .on("data", (reply) => greetings.push(reply.getMessage()))
        .on("status", (received) => (status = received))
        .on("error", ({ code, message }) => end({ code, details: message }))
        .on("end", () => end(status));
    });
  },
};

globalThis.interop = { connect, grpcWeb };
