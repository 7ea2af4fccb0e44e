//! The property of every response, valid or not: cuts into chunks do not change the result. Shared by the fuzz target
//! and the tests.

use bytes::Bytes;
use grpc_wire::content_type::WireFormat;
use grpc_wire::message::{COMPRESSED, PREFIX_LEN};
use grpc_wire::reader::{BodyEnd, Message, Piece, ReadError, Reader, Rules};
use grpc_wire::status::{self, GRPC_MESSAGE};
use grpc_wire::web::{text, trailers};
use http::HeaderMap;

/// The result of reading a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// All bytes of messages that pass.
    pub(crate) messages: Vec<u8>,
    /// Compressed messages, where they are split off.
    pub(crate) compressed: Vec<Bytes>,
    /// Flags, length and captured start of each message.
    pub(crate) reported: Vec<(u8, usize, Vec<u8>)>,
    /// The flags of the trailers, and what their block says.
    pub(crate) trailers: Option<(u8, Result<HeaderMap, trailers::TrailersError>)>,
    pub(crate) error: Option<ReadError>,
    pub(crate) end: BodyEnd,
}

/// Reads one case, and panics when it shows a fault.
///
/// The first byte has bits: 0 is the text format, 1 splits compressed messages off, 2 allows one message without
/// compression, 3 encodes the body as text first, so that the text format is tried with valid text too. The second byte
/// is the number of the following bytes that are lengths of chunks, used in turn. The rest is the body.
pub(crate) fn check(case: &[u8]) {
    let [kind, lengths, rest @ ..] = case else { return };
    let (lengths, body) = rest.split_at(usize::from(*lengths).min(rest.len()));
    let encoded = text::encode(body);
    let body = if kind & 8 == 0 { body } else { encoded.as_bytes() };
    let whole = outcome(*kind, [body]);
    assert_eq!(outcome(*kind, cut(body, lengths)), whole, "cut into chunks of {lengths:?}");
    // For long bodies this takes long and shows no more.
    if body.len() <= 1_000 {
        assert_eq!(outcome(*kind, body.chunks(1)), whole, "cut into bytes");
    }
    if let Some((_, Ok(trailers))) = whole.trailers {
        check_trailers(trailers);
    }
}

/// The result of a body that arrives in `chunks`.
pub(crate) fn outcome<'a>(kind: u8, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let format = if kind & 1 == 0 { WireFormat::GrpcWeb } else { WireFormat::GrpcWebText };
    let strict = kind & 4 != 0;
    let rules = Rules {
        max_message: 1 << 20,
        max_trailers: 1 << 16,
        single: strict,
        compressed: !strict,
        split_compressed: kind & 2 != 0,
        capture: 4,
    };
    let mut reader = Reader::new(format, rules);
    let (mut messages, mut compressed, mut reported) = (Vec::new(), Vec::new(), Vec::new());
    let (mut trailers, mut error) = (None, None);
    'chunks: for chunk in chunks {
        reader.feed(Bytes::copy_from_slice(chunk));
        loop {
            let mut report = |message: Message| {
                reported.push((message.flags, message.length, message.start));
            };
            match reader.next(&mut report) {
                Ok(None) => break,
                Ok(Some(piece)) => {
                    assert!(trailers.is_none(), "something came after the trailers");
                    match piece {
                        Piece::Messages(bytes) => {
                            assert!(!bytes.is_empty(), "an empty piece");
                            messages.extend_from_slice(&bytes);
                        }
                        Piece::Compressed(message) => compressed.push(message),
                        Piece::Trailers { flags, block } => trailers = Some((flags, read(flags, &block))),
                    }
                }
                Err(found) => {
                    error = Some(found);
                    break 'chunks;
                }
            }
        }
    }
    // After a fault the rest is not read, so that the end depends on cuts.
    let end = if error.is_some() { BodyEnd::Empty } else { reader.end() };
    Outcome { messages, compressed, reported, trailers, error, end }
}

/// `body` in chunks of `lengths`, which are used in turn; a length of 0 gives an empty chunk.
pub(crate) fn cut<'a>(mut body: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    if lengths.iter().any(|&length| length > 0) {
        for &length in lengths.iter().cycle() {
            if body.is_empty() {
                break;
            }
            let (chunk, rest) = body.split_at(usize::from(length).min(body.len()));
            chunks.push(chunk);
            body = rest;
        }
    }
    if !body.is_empty() {
        chunks.push(body);
    }
    chunks
}

fn read(flags: u8, block: &[u8]) -> Result<HeaderMap, trailers::TrailersError> {
    // Compressed blocks are read for panics only.
    let trailers = trailers::parse(block);
    if flags & COMPRESSED == 0 { trailers } else { Ok(HeaderMap::new()) }
}

/// Trailers survive encoding, and repairing a message leaves one that is UTF-8.
fn check_trailers(mut trailers: HeaderMap) {
    let frame = trailers::encode(&trailers);
    assert_eq!(trailers::parse(&frame[PREFIX_LEN..]), Ok(trailers.clone()));
    status::repair_message(&mut trailers);
    if let Some(value) = trailers.get(GRPC_MESSAGE).cloned() {
        let message = status::decode_message(value.as_bytes()).into_owned();
        status::repair_message(&mut trailers);
        assert_eq!(trailers.get(GRPC_MESSAGE), Some(&value), "a repaired message needs no repair");
        assert_eq!(status::decode_message(status::encode_message(&message).as_bytes()), message);
    }
}
