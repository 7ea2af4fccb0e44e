//! Encoded events: the stored form, and frames assembled from stored events without decoding them.
//!
//! Field numbers are those of `chat/v1/chat.proto`; the tests compare the bytes with those of the generated code.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use prost::encoding::{encode_varint, encoded_len_varint};
use proto::EncodedSubscribeResponse;
use proto::chat::v1::{self as pb, event, subscribe_response};
use sha2::{Digest, Sha256};

use super::types::{MessageText, OperationId, RoomView, User};

/// Tags of the fields, each the byte before the field's length or value.
const EVENT_ROOM_ID: u8 = 1 << 3 | 2;
const EVENT_SEQ: u8 = 2 << 3;
const EVENT_CREATED_AT_MS: u8 = 3 << 3;
const EVENTS_EVENT: u8 = 1 << 3 | 2;
const EVENTS_FINGERPRINT: u8 = 2 << 3 | 1;
const RESPONSE_EVENTS: u8 = 3 << 3 | 2;

/// Maximum header of a frame: one byte for the tag, at most four for a length below 2^28.
const FRAME_HEADER: usize = 5;

/// Length of `Events.fingerprint`: one byte for the tag, eight for the value.
const FINGERPRINT_LEN: usize = 9;

/// A frame of events is finished when it reaches this size, bytes: large enough that the overhead per frame does not
/// matter, small enough that a reader who is behind holds little memory.
pub(super) const FRAME_BYTES: usize = 48 * 1024;

/// The part of an event that its author determines, encoded before its place in the log is known.
pub(super) struct EventBody(Vec<u8>);

impl fmt::Debug for EventBody {
    /// Prints the length only: message texts must not get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventBody({} bytes)", self.0.len())
    }
}

impl EventBody {
    /// A message.
    pub(super) fn message(author: &User, operation: OperationId, text: &MessageText) -> Self {
        let posted = pb::MessagePosted { text: text.as_str().to_owned() };
        Self::new(Some(author), Some(operation), event::Body::MessagePosted(posted))
    }

    /// A room's first event; without author and operation when the server created the room.
    pub(super) fn room_created(author: Option<(&User, OperationId)>, name: &str) -> Self {
        let created = pb::RoomCreated { name: name.to_owned() };
        Self::new(author.map(|a| a.0), author.map(|a| a.1), event::Body::RoomCreated(created))
    }

    fn new(author: Option<&User>, operation: Option<OperationId>, body: event::Body) -> Self {
        let event = pb::Event {
            author: author.map(Into::into),
            operation_id: operation.map(|id| Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default(),
            body: Some(body),
            ..Default::default()
        };
        Self(event.encode_to_vec())
    }

    /// Encodes the whole event, given its place in the log.
    pub(super) fn encode_at(&self, room_id: &str, seq: u64, created_at_ms: i64) -> Vec<u8> {
        let created_at = created_at_ms.cast_unsigned();
        let lengths = [room_id.len() as u64, seq, created_at].map(encoded_len_varint);
        let tags = 3;
        let len = tags + lengths.iter().sum::<usize>() + room_id.len() + self.0.len();
        let mut event = Vec::with_capacity(len);
        event.put_u8(EVENT_ROOM_ID);
        encode_varint(room_id.len() as u64, &mut event);
        event.put_slice(room_id.as_bytes());
        event.put_u8(EVENT_SEQ);
        encode_varint(seq, &mut event);
        event.put_u8(EVENT_CREATED_AT_MS);
        encode_varint(created_at, &mut event);
        event.put_slice(&self.0);
        event
    }
}

/// Distinguishes an encoded event from every other one that ever had its number: the first 64 bits of its SHA-256. The
/// event contains its time and operation id, so the same text of the same author gives another value. Never 0.
pub(super) fn fingerprint(event: &[u8]) -> u64 {
    let digest = Sha256::digest(event);
    let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    u64::from_le_bytes(*first).max(1)
}

/// Assembles stored events of one room into a frame.
#[derive(Debug)]
pub(super) struct EventsFrame {
    buffer: BytesMut,
    /// Offset of the last event.
    last: usize,
}

impl EventsFrame {
    /// An empty frame.
    pub(super) fn new() -> Self {
        Self { buffer: BytesMut::new(), last: 0 }
    }

    /// Adds an encoded event.
    pub(super) fn push(&mut self, event: &[u8]) {
        if self.buffer.is_empty() {
            self.buffer.reserve(FRAME_HEADER + entry_len(event.len()) + FINGERPRINT_LEN);
            self.buffer.put_bytes(0, FRAME_HEADER);
        }
        self.buffer.put_u8(EVENTS_EVENT);
        encode_varint(event.len() as u64, &mut self.buffer);
        self.last = self.buffer.len();
        self.buffer.put_slice(event);
    }

    /// Reserves memory for a full frame, for callers that will fill it.
    pub(super) fn reserve_full(&mut self) {
        self.buffer.reserve(FRAME_HEADER + FRAME_BYTES + 1024);
    }

    /// Whether it has no event.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Whether it has reached [`FRAME_BYTES`].
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= FRAME_BYTES
    }

    /// Returns the frame and leaves an empty one.
    pub(super) fn finish(&mut self) -> EncodedSubscribeResponse {
        // The header is right-aligned: it ends where the events begin, whatever its length.
        let mut buffer = std::mem::take(&mut self.buffer);
        let fingerprint = fingerprint(&buffer[self.last..]);
        buffer.put_u8(EVENTS_FINGERPRINT);
        buffer.put_u64_le(fingerprint);
        let events_len = (buffer.len() - FRAME_HEADER) as u64;
        let start = FRAME_HEADER - 1 - encoded_len_varint(events_len);
        buffer[start] = RESPONSE_EVENTS;
        encode_varint(events_len, &mut &mut buffer[start + 1..FRAME_HEADER]);
        EncodedSubscribeResponse::from_encoded(buffer.freeze().slice(start..))
    }
}

/// Encoded size of an event of `len` bytes as an element of `Events.events`.
pub(super) fn entry_len(len: usize) -> usize {
    1 + encoded_len_varint(len as u64) + len
}

/// Encodes any other frame.
pub(super) fn frame(frame: subscribe_response::Frame) -> EncodedSubscribeResponse {
    EncodedSubscribeResponse::new(&pb::SubscribeResponse { frame: Some(frame) })
}

/// The `RoomState` of a view, with the recovery of a cursor.
pub(super) fn room_state(view: &RoomView, recovery: pb::Recovery, lost: pb::LostReason) -> pb::RoomState {
    pb::RoomState {
        room: Some(pb::Room {
            id: view.id.as_str().to_owned(),
            name: view.name.to_string(),
            created_at_ms: view.created_at_ms,
        }),
        epoch: view.epoch,
        head_seq: view.head,
        read_seq: view.read,
        unread: view.unread,
        head_fingerprint: view.fingerprint,
        head_created_at_ms: view.head_ms,
        recovery: recovery.into(),
        lost_reason: lost.into(),
    }
}

impl From<&User> for pb::User {
    fn from(user: &User) -> Self {
        Self { id: user.id.to_string(), name: user.name.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::types::UserKey;

    fn event(seq: u64, text: &str) -> (Vec<u8>, pb::Event) {
        let author = User { key: UserKey(1), id: "u1".into(), name: "Ada".into() };
        let operation = OperationId::parse(&[9; 16]).unwrap();
        let body = EventBody::message(&author, operation, &MessageText::parse(text.to_owned()).unwrap());
        let encoded = body.encode_at("general", seq, 1_700_000_000_000);
        assert_eq!(encoded.capacity(), encoded.len(), "one allocation of the right size");
        let expected = pb::Event {
            room_id: "general".to_owned(),
            seq,
            created_at_ms: 1_700_000_000_000,
            author: Some(pb::User { id: "u1".to_owned(), name: "Ada".to_owned() }),
            operation_id: Bytes::from_static(&[9; 16]),
            body: Some(event::Body::MessagePosted(pb::MessagePosted { text: text.to_owned() })),
        };
        (encoded, expected)
    }

    #[test]
    fn encoded_event_equals_the_generated_code() {
        for seq in [1, 127, 128, u64::MAX] {
            let (encoded, expected) = event(seq, "hello");
            assert_eq!(encoded, expected.encode_to_vec());
        }
    }

    #[test]
    fn encoded_frame_equals_the_generated_code() {
        for count in [1_u64, 2, 3, 1_000] {
            let mut frame = EventsFrame::new();
            let (mut events, mut last) = (Vec::new(), 0);
            for seq in 1..=count {
                let (encoded, expected) = event(seq, &"x".repeat(seq as usize));
                frame.push(&encoded);
                last = fingerprint(&encoded);
                events.push(expected);
            }
            let expected = pb::SubscribeResponse {
                frame: Some(subscribe_response::Frame::Events(pb::Events { events, fingerprint: last })),
            };
            assert_eq!(frame.finish().as_bytes(), &expected.encode_to_vec());
            assert!(frame.is_empty());
        }
    }
}
