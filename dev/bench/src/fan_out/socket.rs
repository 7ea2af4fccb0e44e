//! The bytes of subscribers over WebSocket. They answer no pings, which a round is too short for.

use prost::Message as _;
use proto::chat::v1::SubscribeRequest;

use super::connections::Request;
use crate::people::Guest;

/// Kinds of messages of a WebSocket.
pub(super) const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// Types of frames of HTTP/2.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The client never announces that it has read.
const WINDOW: u32 = 1 << 30;

/// The head that opens a WebSocket. Each line of `headers` has its end.
pub(super) fn handshake(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n{headers}\r\n"
    )
}

/// One message, masked with zeros. It has fewer than 64 KiB.
pub(super) fn message(kind: u8, bytes: &[u8]) -> Vec<u8> {
    const FINAL: u8 = 0x80;
    const MASKED: u8 = 0x80;
    const TWO_BYTES_OF_LENGTH: u8 = 126;
    let [high, low] = u16::try_from(bytes.len()).unwrap_or_default().to_be_bytes();
    let head = [FINAL | kind, MASKED | TWO_BYTES_OF_LENGTH, high, low, 0, 0, 0, 0];
    [&head, bytes].concat()
}

/// A call of `Subscribe` by gRPC, over HTTP/2 in a WebSocket.
pub(super) fn subscribe(guest: &Guest) -> Request {
    let call = grpc_wire::message::encode(0, &SubscribeRequest::default().encode_to_vec());
    let initial_window = [&[0, 4][..], &WINDOW.to_be_bytes()].concat();
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/chat.v1.ChatService/Subscribe"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", guest.authorization()),
    ];
    let headers: Vec<u8> = headers.iter().flat_map(|(name, value)| field(name, value)).collect();
    let bytes = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(SETTINGS, 0, 0, &initial_window),
        frame(WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes()),
        frame(HEADERS, END_HEADERS, 1, &headers),
        frame(DATA, END_STREAM, 1, &call),
    ];
    Request {
        first: handshake("/", "sec-websocket-protocol: h2ts\r\n").into_bytes(),
        then: message(BINARY, &bytes.concat()),
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    [&length, &[kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

/// A header field without a table and without Huffman codes. Both texts have fewer than 127 bytes.
fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap_or_default();
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}
