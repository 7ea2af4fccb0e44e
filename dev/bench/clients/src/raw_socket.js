// The limit of every client over a WebSocket: bytes without a protocol. The server sends a message back as it is, or sends
// or counts bytes in pieces.

// Bytes of a message of the bulk jobs.
const PIECE = 64 * 1024;
// The texts are as long as those of the other clients' messages.
const SMALL = new TextEncoder().encode("Hello, World!");

let echo;

// The socket that sends messages back, which is opened for the first job and kept. Answers come in order.
async function echoes(origin) {
  if (!echo) {
    const socket = await opened(origin, "/echo");
    const waiting = [];
    socket.onmessage = ({ data }) => waiting.shift()(data.byteLength);
    echo = () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        socket.send(SMALL);
      });
  }
  return echo;
}

function opened(origin, path) {
  const socket = new WebSocket(origin.replace(/^http/, "ws") + path);
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error("the raw WebSocket does not open"));
  });
}

export async function unary(origin, count) {
  const send = await echoes(origin);
  let bytes = 0;
  for (let call = 0; call < count; call += 1) {
    bytes += await send();
  }
  return [null, bytes];
}

// Without a protocol it is the same.
export const ping_pong = unary;

export async function concurrent(origin, count) {
  const send = await echoes(origin);
  const all = await Promise.all(Array.from({ length: count }, send));
  return [null, all.reduce((sum, bytes) => sum + bytes, 0)];
}

export async function stream(origin, count, size) {
  const wanted = count * size;
  const socket = await opened(origin, `/down/${wanted}`);
  let bytes = 0;
  await new Promise((resolve, reject) => {
    socket.onclose = () => reject(new Error(`the socket was closed after ${bytes} bytes`));
    socket.onmessage = ({ data }) => {
      bytes += data.byteLength;
      if (bytes >= wanted) {
        resolve();
      }
    };
  });
  socket.close();
  return [null, bytes];
}

export async function upload(origin, count, size) {
  const wanted = count * size;
  const socket = await opened(origin, `/up/${wanted}`);
  const piece = new Uint8Array(PIECE);
  for (let sent = 0; sent < wanted; sent += PIECE) {
    socket.send(piece.subarray(0, Math.min(PIECE, wanted - sent)));
  }
  // The server answers with the number of bytes.
  const bytes = await new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(Number(data))));
  socket.close();
  return [null, bytes];
}
