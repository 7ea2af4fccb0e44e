//! A frame of a call, and the newest frames of one call within limits.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use grpc_wire::message::{COMPRESSED, PREFIX_LEN, Prefix};

/// Bytes kept of a frame's payload, from its start. At most 64 KiB less a prefix, so that offsets have four digits.
pub const MAX_PAYLOAD_BYTES: usize = 16 * 1024;

/// Messages kept in each direction of a call. One more drops the oldest.
pub const MAX_MESSAGES: usize = 20;

/// A frame of a call: a message or the trailers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Position among the messages of its direction, from 1.
    pub number: u64,
    /// Time since the call started.
    pub elapsed: Duration,
    /// The first byte of the prefix.
    pub flags: u8,
    /// Length of the whole payload, in bytes.
    pub length: usize,
    /// The payload, or its start.
    pub payload: Bytes,
}

impl Frame {
    /// Whether the payload is compressed.
    pub fn is_compressed(&self) -> bool {
        self.flags & COMPRESSED != 0
    }

    /// Whether the payload was kept in full.
    pub fn is_complete(&self) -> bool {
        self.payload.len() == self.length
    }

    /// The frame as if `payload`, its decompressed payload, had been sent without compression.
    #[must_use]
    pub fn decompressed(&self, payload: Bytes) -> Frame {
        Frame { flags: self.flags & !COMPRESSED, length: payload.len(), payload, ..*self }
    }

    /// The bytes before the payload on the wire.
    pub fn prefix(&self) -> [u8; PREFIX_LEN] {
        // The format has four bytes for the length.
        Prefix { flags: self.flags, length: self.length as u32 }.encode()
    }
}

/// The direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Sent,
    /// From the server.
    Received,
}

/// The newest frames of one call. Holds at most [`MAX_MESSAGES`] of each direction, with [`MAX_PAYLOAD_BYTES`] of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameBuffer {
    sent: VecDeque<Frame>,
    received: VecDeque<Frame>,
    trailers: Option<Frame>,
    payload_bytes: usize,
}

impl FrameBuffer {
    /// Payload bytes held.
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// The messages of one direction, oldest first.
    pub fn messages(&self, direction: Direction) -> &VecDeque<Frame> {
        match direction {
            Direction::Sent => &self.sent,
            Direction::Received => &self.received,
        }
    }

    /// The frame of the trailers.
    pub fn trailers(&self) -> Option<&Frame> {
        self.trailers.as_ref()
    }

    /// Adds a message.
    pub fn push(&mut self, direction: Direction, mut frame: Frame) {
        frame.payload.truncate(MAX_PAYLOAD_BYTES);
        self.payload_bytes += frame.payload.len();
        let frames = match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        };
        frames.push_back(frame);
        if frames.len() > MAX_MESSAGES
            && let Some(oldest) = frames.pop_front()
        {
            self.payload_bytes -= oldest.payload.len();
        }
    }

    /// Sets the trailers. A call that is retried has several; the last ones are kept.
    pub fn set_trailers(&mut self, mut frame: Frame) {
        frame.payload.truncate(MAX_PAYLOAD_BYTES);
        self.payload_bytes += frame.payload.len();
        if let Some(earlier) = self.trailers.replace(frame) {
            self.payload_bytes -= earlier.payload.len();
        }
    }

    /// Drops one frame: the oldest received message, else the oldest sent one, else the trailers.
    pub fn drop_oldest(&mut self) {
        let oldest =
            self.received.pop_front().or_else(|| self.sent.pop_front()).or_else(|| self.trailers.take());
        self.payload_bytes -= oldest.map_or(0, |frame| frame.payload.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u64, length: usize) -> Frame {
        Frame { number, elapsed: Duration::ZERO, flags: 0, length, payload: vec![7; length].into() }
    }

    #[test]
    fn only_the_newest_messages_of_a_direction_are_kept_and_their_bytes_counted() {
        let mut frames = FrameBuffer::default();
        frames.push(Direction::Sent, frame(1, 3));
        for number in 1..=100 {
            frames.push(Direction::Received, frame(number, 10));
        }
        assert_eq!(frames.messages(Direction::Sent).len(), 1);
        let received = frames.messages(Direction::Received);
        assert_eq!(received.len(), MAX_MESSAGES);
        assert_eq!(received.back().unwrap().number, 100);
        assert_eq!(frames.payload_bytes(), 3 + 10 * MAX_MESSAGES);
    }

    #[test]
    fn a_long_frame_is_cut_and_incomplete() {
        let mut frames = FrameBuffer::default();
        frames.push(Direction::Sent, frame(1, MAX_PAYLOAD_BYTES + 1));
        let frame = &frames.messages(Direction::Sent)[0];
        assert_eq!(frame.payload.len(), MAX_PAYLOAD_BYTES);
        assert!(!frame.is_complete());
        assert_eq!(frame.prefix(), [0, 0, 0, 0x40, 0x01]);
    }

    #[test]
    fn frames_are_dropped_oldest_first_until_none_is_left() {
        let mut frames = FrameBuffer::default();
        frames.push(Direction::Sent, frame(1, 1));
        frames.push(Direction::Received, frame(1, 2));
        frames.push(Direction::Received, frame(2, 4));
        frames.set_trailers(frame(1, 8));
        let mut left = Vec::new();
        for _ in 0..5 {
            frames.drop_oldest();
            left.push(frames.payload_bytes());
        }
        assert_eq!(left, [13, 9, 8, 0, 0]);
    }
}
