//! Frames of HTTP/2: their kinds, their parts, and writing them. `reader` reads them.
//!
//! Specification: RFC 9113, sections 4 and 6.

mod reader;

use bytes::Bytes;

pub(super) use self::reader::FrameReader;
use crate::transport::http2::ErrorCode;

/// Bytes before the payload of every frame.
pub(super) const HEAD: usize = 9;

/// The longest payload that a peer takes which has not announced another.
pub(super) const DEFAULT_MAX_FRAME: u32 = 16 * 1024;

/// The largest value of MAX_FRAME_SIZE.
const LARGEST_MAX_FRAME: u32 = (1 << 24) - 1;

/// The largest flow-control window, and the largest id of a stream.
pub(super) const MAX_31_BITS: u32 = (1 << 31) - 1;

/// The first bytes of a client.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames.
mod kind {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PUSH_PROMISE: u8 = 5;
    pub(super) const PING: u8 = 6;
    pub(super) const GOAWAY: u8 = 7;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const CONTINUATION: u8 = 9;
}

/// Flags of frames.
mod flag {
    pub(super) const END_STREAM: u8 = 0x1;
    pub(super) const ACK: u8 = 0x1;
    pub(super) const END_HEADERS: u8 = 0x4;
    pub(super) const PADDED: u8 = 0x8;
    pub(super) const PRIORITY: u8 = 0x20;
}

/// Names of settings.
pub(super) mod setting {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
    pub(crate) const ENABLE_PUSH: u16 = 2;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 5;
    pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 6;
}

/// A breach of HTTP/2 by the server, which ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: ErrorCode,
    pub(super) reason: &'static str,
}

impl Violation {
    pub(super) fn protocol(reason: &'static str) -> Self {
        Self { code: ErrorCode::PROTOCOL_ERROR, reason }
    }

    pub(super) fn size(reason: &'static str) -> Self {
        Self { code: ErrorCode::FRAME_SIZE_ERROR, reason }
    }

    pub(super) fn flow(reason: &'static str) -> Self {
        Self { code: ErrorCode::FLOW_CONTROL_ERROR, reason }
    }
}

/// A frame of a server. DATA may come in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Data {
        stream: u32,
        bytes: Bytes,
        /// Bytes that count for flow control, and carry nothing.
        padding: u32,
        is_last: bool,
    },
    Headers {
        stream: u32,
        block: Bytes,
        /// Whether it ends the stream.
        is_last: bool,
        /// Whether no CONTINUATION follows.
        is_whole: bool,
    },
    Continuation {
        stream: u32,
        block: Bytes,
        is_whole: bool,
    },
    Reset {
        stream: u32,
        code: ErrorCode,
    },
    Settings(Settings),
    Ping([u8; 8]),
    Pong([u8; 8]),
    GoAway {
        last: u32,
        code: ErrorCode,
        debug: Bytes,
    },
    WindowUpdate {
        stream: u32,
        increment: u32,
    },
    /// The server acknowledges settings, or the frame is PRIORITY or of an unknown kind.
    Meaningless,
}

/// The settings of a server that a client of it has to keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) max_streams: Option<u32>,
    pub(super) initial_window: Option<u32>,
    pub(super) max_frame: Option<u32>,
}

fn put_head(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    // No payload has more than 24 bits of length.
    out.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
}

pub(super) fn put_data(out: &mut Vec<u8>, stream: u32, bytes: &[u8], is_last: bool) {
    put_head(out, bytes.len(), kind::DATA, if is_last { flag::END_STREAM } else { 0 }, stream);
    out.extend_from_slice(bytes);
}

/// A header block that does not end the stream, cut into frames of at most `max_frame` bytes.
pub(super) fn put_headers(out: &mut Vec<u8>, stream: u32, block: &[u8], max_frame: usize) {
    let mut kind = kind::HEADERS;
    let mut rest = block;
    loop {
        let (part, after) = rest.split_at(rest.len().min(max_frame));
        put_head(out, part.len(), kind, if after.is_empty() { flag::END_HEADERS } else { 0 }, stream);
        out.extend_from_slice(part);
        if after.is_empty() {
            return;
        }
        (kind, rest) = (kind::CONTINUATION, after);
    }
}

pub(super) fn put_reset(out: &mut Vec<u8>, stream: u32, code: ErrorCode) {
    put_head(out, 4, kind::RST_STREAM, 0, stream);
    out.extend_from_slice(&code.0.to_be_bytes());
}

pub(super) fn put_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    put_head(out, settings.len() * 6, kind::SETTINGS, 0, 0);
    for (name, value) in settings {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

pub(super) fn put_settings_ack(out: &mut Vec<u8>) {
    put_head(out, 0, kind::SETTINGS, flag::ACK, 0);
}

pub(super) fn put_ping(out: &mut Vec<u8>, payload: [u8; 8], is_ack: bool) {
    put_head(out, 8, kind::PING, if is_ack { flag::ACK } else { 0 }, 0);
    out.extend_from_slice(&payload);
}

/// A GOAWAY. It names stream 0, because a client processes no streams of the server.
pub(super) fn put_go_away(out: &mut Vec<u8>, code: ErrorCode, debug: &str) {
    put_head(out, 8 + debug.len(), kind::GOAWAY, 0, 0);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&code.0.to_be_bytes());
    out.extend_from_slice(debug.as_bytes());
}

pub(super) fn put_window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    put_head(out, 4, kind::WINDOW_UPDATE, 0, stream);
    out.extend_from_slice(&increment.to_be_bytes());
}
