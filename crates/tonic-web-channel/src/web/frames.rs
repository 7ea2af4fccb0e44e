//! Finds the frame of trailers in a body that is cut anywhere, and lets everything before it pass.
//!
//! Messages are neither looked at nor cut nor copied here: one chunk of ten thousand small messages stays one
//! chunk. Only their prefixes are read, to know where the next frame begins.
//!
//! Format: "Message framing" of `PROTOCOL-WEB.md`. A frame is one byte of flags, four of length, big-endian,
//! and as many bytes. Bit 7 of the flags marks trailers, bit 0 what is compressed; the others mean nothing yet.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::error::Error;

/// Bit 0 of a frame's flags.
pub(super) const COMPRESSED: u8 = 0b0000_0001;
/// Bit 7 of a frame's flags.
const TRAILERS: u8 = 0b1000_0000;
/// Bytes of a frame's length.
const LENGTH_BYTES: u8 = 4;

/// Where an empty body ends. It has a cause of its own: a status among the headers that CORS hides from the page.
pub(super) const NOTHING: &str =
    "with nothing in it (a server of another origin has to expose `grpc-status` by CORS)";

/// What comes out of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Bytes of length-prefixed messages, in any portion.
    Messages(Bytes),
    /// The frame of trailers, whole, without its prefix.
    Trailers {
        /// The frame's first byte.
        flags: u8,
        /// What the frame holds.
        block: Bytes,
    },
}

/// Reads the frames of one body.
#[derive(Debug)]
pub(super) struct Frames {
    /// What came and has not been given out.
    chunk: Bytes,
    state: State,
    /// Whether anything has come.
    begun: bool,
    max_trailers: usize,
}

#[derive(Debug)]
enum State {
    /// The next byte is a frame's first.
    Between,
    /// Inside the length of a message's frame.
    Prefix { missing: u8, length: u32 },
    /// Inside a message.
    Message { missing: u32 },
    /// Inside the length of the frame of trailers.
    TrailersPrefix { flags: u8, missing: u8, length: u32 },
    /// Inside the block of trailers; what came of it is in `block` once it is known to be cut.
    Trailers { flags: u8, length: usize, block: BytesMut },
    /// After the trailers, where nothing may come.
    Over,
}

impl Frames {
    /// Frames whose trailers are at most `max_trailers` bytes long.
    pub(super) fn new(max_trailers: usize) -> Self {
        Self { chunk: Bytes::new(), state: State::Between, begun: false, max_trailers }
    }

    /// Takes the next bytes of the body. [`next`](Self::next) has said that it needs them.
    pub(super) fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "nothing was left over");
        self.begun |= !chunk.is_empty();
        self.chunk = chunk;
    }

    /// The next piece of what was fed, or nothing when more is needed.
    ///
    /// Messages that came before a fault are given out before the fault is.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, Error> {
        let messages = self.pass_messages();
        if messages > 0 {
            return Ok(Some(Piece::Messages(self.chunk.split_to(messages))));
        }
        self.read_trailers()
    }

    /// Whether no byte has come.
    pub(super) fn nothing_came(&self) -> bool {
        !self.begun
    }

    /// Where a body that ends now was cut. Nowhere when its trailers have come.
    pub(super) fn cut(&self) -> Option<&'static str> {
        match self.state {
            State::Between if self.begun => Some("after a message"),
            State::Between => Some(NOTHING),
            State::Prefix { .. } => Some("inside the prefix of a message"),
            State::Message { .. } => Some("inside a message"),
            State::TrailersPrefix { .. } | State::Trailers { .. } => Some("inside its trailers"),
            State::Over => None,
        }
    }

    /// How many bytes at the chunk's start belong to messages.
    fn pass_messages(&mut self) -> usize {
        let mut at = 0;
        while let Some(&byte) = self.chunk.get(at) {
            match self.state {
                State::Between if byte & !COMPRESSED == 0 => match self.chunk[at + 1..].first_chunk() {
                    // The prefix is seldom cut, and small messages are mostly prefix.
                    Some(&length) => {
                        self.state = inside(u32::from_be_bytes(length));
                        at += 1 + length.len();
                    }
                    None => {
                        self.state = State::Prefix { missing: LENGTH_BYTES, length: 0 };
                        at += 1;
                    }
                },
                State::Prefix { missing, length } => {
                    let length = length << 8 | u32::from(byte);
                    self.state = match missing {
                        1 => inside(length),
                        _ => State::Prefix { missing: missing - 1, length },
                    };
                    at += 1;
                }
                State::Message { missing } => {
                    let here = self.chunk.len() - at;
                    let taken = here.min(missing as usize);
                    at += taken;
                    // No more than `missing`, so it fits.
                    self.state = inside(missing - taken as u32);
                }
                _ => break,
            }
        }
        at
    }

    fn read_trailers(&mut self) -> Result<Option<Piece>, Error> {
        while self.chunk.has_remaining() {
            match &mut self.state {
                State::Between => {
                    let flags = self.chunk.get_u8();
                    if flags & !(TRAILERS | COMPRESSED) != 0 {
                        return Err(protocol(format!("a frame has flags {flags:#04x}, which mean nothing")));
                    }
                    self.state = State::TrailersPrefix { flags, missing: LENGTH_BYTES, length: 0 };
                }
                State::TrailersPrefix { flags, missing, length } => {
                    let flags = *flags;
                    *length = *length << 8 | u32::from(self.chunk.get_u8());
                    *missing -= 1;
                    if *missing == 0 {
                        let length = *length as usize;
                        if length > self.max_trailers {
                            return Err(Error::MetadataTooLarge { limit: self.max_trailers });
                        }
                        self.state = State::Trailers { flags, length, block: BytesMut::new() };
                        if length == 0 {
                            return Ok(Some(self.trailers(flags, Bytes::new())));
                        }
                    }
                }
                State::Trailers { flags, length, block } => {
                    let (flags, missing) = (*flags, *length - block.len());
                    if block.is_empty() && self.chunk.len() >= missing {
                        let block = self.chunk.split_to(missing);
                        return Ok(Some(self.trailers(flags, block)));
                    }
                    block.extend_from_slice(&self.chunk.split_to(missing.min(self.chunk.len())));
                    if block.len() == *length {
                        let block = std::mem::take(block).freeze();
                        return Ok(Some(self.trailers(flags, block)));
                    }
                }
                // "Trailers must be the last message of the response, as enforced by the implementation".
                State::Over => return Err(protocol("something came after the trailers")),
                State::Prefix { .. } | State::Message { .. } => break,
            }
        }
        Ok(None)
    }

    fn trailers(&mut self, flags: u8, block: Bytes) -> Piece {
        self.state = State::Over;
        Piece::Trailers { flags, block }
    }
}

/// Where a message goes on that has `missing` bytes more.
fn inside(missing: u32) -> State {
    if missing == 0 { State::Between } else { State::Message { missing } }
}

fn protocol(reason: impl Into<String>) -> Error {
    Error::Protocol { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &[u8] = b"\0\0\0\0\x05hello\x01\0\0\0\0\0\0\0\0\x02hi";
    const TRAILERS: &[u8] = b"\x80\0\0\0\x10grpc-status: 0\r\n";
    const BLOCK: &[u8] = b"grpc-status: 0\r\n";

    fn pieces(frames: &mut Frames, chunk: &[u8]) -> Result<Vec<Piece>, Error> {
        frames.feed(Bytes::copy_from_slice(chunk));
        let mut pieces = Vec::new();
        while let Some(piece) = frames.next()? {
            pieces.push(piece);
        }
        Ok(pieces)
    }

    #[test]
    fn a_chunk_of_messages_passes_as_it_is() {
        let mut frames = Frames::new(100);
        let chunk = Bytes::from_static(MESSAGES);

        frames.feed(chunk.clone());
        let Ok(Some(Piece::Messages(passed))) = frames.next() else { panic!("no messages") };

        assert_eq!(passed, chunk);
        assert_eq!(passed.as_ptr(), chunk.as_ptr(), "it was copied");
        assert_eq!(frames.next(), Ok(None));
    }

    #[test]
    fn the_trailers_are_found_wherever_the_body_is_cut_twice() {
        let body = [MESSAGES, TRAILERS].concat();
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let mut frames = Frames::new(100);
                let mut all = Vec::new();
                for chunk in [&body[..first], &body[first..second], &body[second..]] {
                    all.extend(pieces(&mut frames, chunk).unwrap());
                }
                let mut messages = Vec::new();
                let mut blocks = Vec::new();
                for piece in all {
                    match piece {
                        Piece::Messages(bytes) => messages.extend(bytes),
                        Piece::Trailers { flags, block } => blocks.push((flags, block)),
                    }
                }
                assert_eq!(messages, MESSAGES, "cut at {first} and {second}");
                assert_eq!(blocks, [(0x80, Bytes::from_static(BLOCK))], "cut at {first} and {second}");
                assert_eq!(frames.cut(), None);
            }
        }
    }

    #[test]
    fn messages_before_a_fault_are_given_out_first() {
        let mut frames = Frames::new(100);
        frames.feed([MESSAGES, b"\x42"].concat().into());

        assert_eq!(frames.next(), Ok(Some(Piece::Messages(Bytes::from_static(MESSAGES)))));
        assert!(matches!(frames.next(), Err(Error::Protocol { .. })));
    }

    #[test]
    fn reserved_flags_are_a_fault() {
        for flags in (0..=u8::MAX).filter(|flags| !matches!(flags, 0 | 1 | 0x80 | 0x81)) {
            let result = pieces(&mut Frames::new(100), &[flags, 0, 0, 0, 0]);
            assert!(matches!(result, Err(Error::Protocol { .. })), "{flags:#04x}");
        }
    }

    #[test]
    fn trailers_over_the_limit_are_refused_by_their_prefix() {
        let refused = pieces(&mut Frames::new(99), b"\x80\0\0\0\x64");
        assert_eq!(refused, Err(Error::MetadataTooLarge { limit: 99 }));
        assert_eq!(pieces(&mut Frames::new(100), b"\x80\0\0\0\x64"), Ok(vec![]));
    }

    #[test]
    fn nothing_may_come_after_the_trailers() {
        for more in [&b"\0"[..], b"\n", TRAILERS] {
            let result = pieces(&mut Frames::new(100), &[TRAILERS, more].concat());
            assert!(matches!(result, Err(Error::Protocol { .. })), "{more:?}");
        }
    }

    #[test]
    fn an_empty_block_of_trailers_is_one() {
        let empty = Piece::Trailers { flags: 0x80, block: Bytes::new() };
        assert_eq!(pieces(&mut Frames::new(100), b"\x80\0\0\0\0"), Ok(vec![empty]));
    }

    #[test]
    fn a_body_that_ends_early_says_where() {
        let places = [
            (&b""[..], NOTHING),
            (b"\0\0", "inside the prefix of a message"),
            (b"\0\0\0\0\x02h", "inside a message"),
            (b"\0\0\0\0\x02hi", "after a message"),
            (b"\x80\0", "inside its trailers"),
            (b"\x80\0\0\0\x10grpc", "inside its trailers"),
        ];
        for (body, place) in places {
            let mut frames = Frames::new(100);
            pieces(&mut frames, body).unwrap();
            assert_eq!(frames.cut(), Some(place), "{body:?}");
        }
    }
}
