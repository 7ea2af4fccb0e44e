// The Greeter for grpc-web, in the form of its generators' output: descriptors over google-protobuf. It is written by
// hand, because no package registry has the generators.

import { BinaryReader, BinaryWriter, Message, inherits } from "google-protobuf";
import { GrpcWebClientBase, MethodDescriptor, MethodType } from "grpc-web";

export function HelloRequest(data) {
  Message.initialize(this, data, 0, -1, null, null);
}
inherits(HelloRequest, Message);

HelloRequest.prototype.getName = function () {
  return Message.getFieldWithDefault(this, 1, "");
};

HelloRequest.prototype.setName = function (value) {
  return Message.setProto3StringField(this, 1, value);
};

HelloRequest.prototype.serializeBinary = function () {
  const writer = new BinaryWriter();
  const name = this.getName();
  if (name.length > 0) {
    writer.writeString(1, name);
  }
  return writer.getResultBuffer();
};

export function HelloReply(data) {
  Message.initialize(this, data, 0, -1, null, null);
}
inherits(HelloReply, Message);

HelloReply.prototype.getMessage = function () {
  return Message.getFieldWithDefault(this, 1, "");
};

HelloReply.prototype.setMessage = function (value) {
  return Message.setProto3StringField(this, 1, value);
};

HelloReply.deserializeBinary = function (bytes) {
  const reader = new BinaryReader(bytes);
  const reply = new HelloReply();
  while (reader.nextField() && !reader.isEndGroup()) {
    switch (reader.getFieldNumber()) {
      case 1:
        reply.setMessage(reader.readStringRequireUtf8());
        break;
      default:
        reader.skipField();
    }
  }
  return reply;
};

const method = (name, type) =>
  new MethodDescriptor(
    `/helloworld.Greeter/${name}`,
    type,
    HelloRequest,
    HelloReply,
    (request) => request.serializeBinary(),
    HelloReply.deserializeBinary,
  );

const sayHello = method("SayHello", MethodType.UNARY);
const sayHelloStreamReply = method("SayHelloStreamReply", MethodType.SERVER_STREAMING);

export class GreeterClient {
  // `options.format` is "text" or "binary"; only in "text" does grpc-web hand out a stream's messages as
  // they come.
  constructor(hostname, options) {
    this.client = new GrpcWebClientBase(options);
    this.hostname = hostname;
  }

  sayHello(request, metadata) {
    return this.client.unaryCall(this.hostname + sayHello.name, request, metadata, sayHello);
  }

  sayHelloStreamReply(request, metadata) {
    const url = this.hostname + sayHelloStreamReply.name;
    return this.client.serverStreaming(url, request, metadata, sayHelloStreamReply);
  }
}

export const request = (name) => new HelloRequest().setName(name);
