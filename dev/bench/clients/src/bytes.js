// The bytes of a gRPC-Web call to the Greeter, without a client.

const PREFIX = 5;
const NAME = 0x0a;

// A frame with the message `HelloRequest { name }`.
function frame(name) {
  const text = new TextEncoder().encode(name);
  const length = varint(text.length);
  const body = new Uint8Array(PREFIX + 1 + length.length + text.length);
  new DataView(body.buffer).setUint32(1, body.length - PREFIX);
  body[PREFIX] = NAME;
  body.set(length, PREFIX + 1);
  body.set(text, PREFIX + 1 + length.length);
  return body;
}

function varint(value) {
  const bytes = [];
  for (; value > 0x7f; value >>>= 7) {
    bytes.push((value & 0x7f) | 0x80);
  }
  return [...bytes, value];
}

// The text of the `HelloReply` that a unary call's body begins with.
export function replyOf(body) {
  const length = new DataView(body.buffer).getUint32(1);
  const message = body.subarray(PREFIX, PREFIX + length);
  let at = 1;
  while (message[at] > 0x7f) {
    at += 1;
  }
  return new TextDecoder().decode(message.subarray(at + 1));
}

// The response to a call, its body not read yet.
export function call(origin, method, name, metadata) {
  return fetch(`${origin}/helloworld.Greeter/${method}`, {
    method: "POST",
    headers: { "content-type": "application/grpc-web+proto", "x-grpc-web": "1", ...metadata },
    body: frame(name),
  });
}
