//! The frames of a call that are kept to be looked at, within bounds. No browser, no signals.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use tonic::Code;

/// How many bytes of a frame are kept, from its start. A longer one says so.
pub const KEPT_FRAME_BYTES: usize = 16 * 1024;

/// How many messages are kept of each direction of a call. When more come, the oldest is forgotten,
/// and the panel says how many of all are there.
pub const KEPT_FRAMES: usize = 20;

/// How many notes of a call are kept. When more come, the oldest is forgotten.
pub const KEPT_NOTES: usize = 20;

/// The first byte's bit that marks a compressed frame.
const COMPRESSED: u8 = 1;

/// The bytes before every frame's content: one of flags, four of length.
pub const PREFIX_LEN: usize = 5;

/// One frame: a message, or the trailers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which one of its direction, from 1.
    pub number: u64,
    /// How long after the call's start it was sent or came.
    pub after: Duration,
    /// Its first byte.
    pub flags: u8,
    /// The length of its content in bytes.
    pub length: usize,
    /// The content, or its start.
    pub content: Bytes,
}

impl Frame {
    /// Whether the content is compressed.
    pub fn is_compressed(&self) -> bool {
        self.flags & COMPRESSED != 0
    }

    /// Whether all of the content is here.
    pub fn is_whole(&self) -> bool {
        self.content.len() == self.length
    }

    /// The same frame as if `content`, what its own unpacks to, had been sent without compression.
    pub fn unpacked(&self, content: Bytes) -> Frame {
        Frame { flags: self.flags & !COMPRESSED, length: content.len(), content, ..*self }
    }

    /// The five bytes before the content, as they are on the wire.
    pub fn prefix(&self) -> [u8; PREFIX_LEN] {
        // A frame's length has four bytes, so that a longer one does not exist.
        let [a, b, c, d] = (self.length as u32).to_be_bytes();
        [self.flags, a, b, c, d]
    }
}

/// Something worth knowing that happened during a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// An attempt failed, and the call was repeated.
    Retry {
        /// How many attempts had failed.
        attempt: u32,
        /// How long the next one waited.
        delay: Duration,
        /// How the attempt ended.
        code: Code,
    },
    /// What the channel warns of, in its own words.
    Warning(Arc<str>),
}

/// What is kept of a call's frames, oldest first, and what else happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// Messages sent.
    pub sent: VecDeque<Frame>,
    /// Messages received.
    pub received: VecDeque<Frame>,
    /// The frame of trailers.
    pub trailers: Option<Frame>,
    /// What else happened.
    pub notes: VecDeque<Note>,
    bytes: usize,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Sent,
    /// From the server.
    Received,
}

impl Frames {
    /// How many bytes of content are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The messages of one direction.
    pub fn of(&self, direction: Direction) -> &VecDeque<Frame> {
        match direction {
            Direction::Sent => &self.sent,
            Direction::Received => &self.received,
        }
    }

    pub(super) fn push(&mut self, direction: Direction, mut frame: Frame) {
        frame.content.truncate(KEPT_FRAME_BYTES);
        self.bytes += frame.content.len();
        let frames = match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        };
        frames.push_back(frame);
        if frames.len() > KEPT_FRAMES
            && let Some(oldest) = frames.pop_front()
        {
            self.bytes -= oldest.content.len();
        }
    }

    pub(super) fn set_trailers(&mut self, mut frame: Frame) {
        frame.content.truncate(KEPT_FRAME_BYTES);
        self.bytes += frame.content.len();
        if let Some(earlier) = self.trailers.replace(frame) {
            self.bytes -= earlier.content.len();
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        self.notes.push_back(note);
        if self.notes.len() > KEPT_NOTES {
            self.notes.pop_front();
        }
    }

    /// Forgets the oldest message received; when there is none, the oldest sent, then the trailers.
    pub(super) fn forget_oldest(&mut self) {
        let oldest =
            self.received.pop_front().or_else(|| self.sent.pop_front()).or_else(|| self.trailers.take());
        self.bytes -= oldest.map_or(0, |frame| frame.content.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u64, length: usize) -> Frame {
        Frame { number, after: Duration::ZERO, flags: 0, length, content: vec![7; length].into() }
    }

    #[test]
    fn only_the_newest_messages_of_a_direction_are_kept_and_their_bytes_counted() {
        let mut frames = Frames::default();
        frames.push(Direction::Sent, frame(1, 3));
        for number in 1..=100 {
            frames.push(Direction::Received, frame(number, 10));
        }
        assert_eq!(frames.sent.len(), 1);
        assert_eq!(frames.received.len(), KEPT_FRAMES);
        assert_eq!(frames.received.back().unwrap().number, 100);
        assert_eq!(frames.bytes(), 3 + 10 * KEPT_FRAMES);
    }

    #[test]
    fn a_long_frame_is_cut_and_says_so() {
        let mut frames = Frames::default();
        frames.push(Direction::Sent, frame(1, KEPT_FRAME_BYTES + 1));
        assert_eq!(frames.sent[0].content.len(), KEPT_FRAME_BYTES);
        assert!(!frames.sent[0].is_whole());
        assert_eq!(frames.sent[0].prefix(), [0, 0, 0, 0x40, 0x01]);
    }

    #[test]
    fn forgetting_takes_the_oldest_first_and_ends_with_nothing() {
        let mut frames = Frames::default();
        frames.push(Direction::Sent, frame(1, 1));
        frames.push(Direction::Received, frame(1, 2));
        frames.push(Direction::Received, frame(2, 4));
        frames.set_trailers(frame(1, 8));
        let mut left = Vec::new();
        for _ in 0..5 {
            frames.forget_oldest();
            left.push(frames.bytes());
        }
        assert_eq!(left, [13, 9, 8, 0, 0]);
    }

    #[test]
    fn notes_are_bounded() {
        let mut frames = Frames::default();
        for attempt in 0..1_000 {
            frames.note(Note::Retry { attempt, delay: Duration::ZERO, code: Code::Unavailable });
        }
        assert_eq!(frames.notes.len(), KEPT_NOTES);
    }
}
