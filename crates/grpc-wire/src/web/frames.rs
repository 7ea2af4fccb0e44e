//! Finds the trailers in a body that is cut anywhere, and passes the messages before them.
//!
//! Messages are neither cut nor copied: one chunk of ten thousand small messages stays one chunk.
//!
//! Format: "Message framing" of `PROTOCOL-WEB.md`. Bit 7 of the flags marks trailers, bit 0 a compressed payload; the
//! others are reserved.

use bytes::{Bytes, BytesMut};

use crate::message::{COMPRESSED, Event, Position, Prefix, Scanner};

/// Flag of the frame that holds the trailers.
pub const TRAILERS: u8 = 0b1000_0000;

/// A part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of length-prefixed messages, cut anywhere.
    Messages(Bytes),
    /// The payload of the frame of trailers.
    Trailers {
        /// The flags of the frame.
        flags: u8,
        /// The block of trailers, compressed when the flags say so.
        block: Bytes,
    },
}

/// A body that breaks the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame has reserved flags.
    #[error("a frame has the reserved flags {flags:#04x}")]
    ReservedFlags {
        /// All flags of the frame.
        flags: u8,
    },
    /// The trailers are longer than the limit.
    #[error("the trailers are longer than {limit} bytes")]
    TrailersTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// "Trailers must be the last message of the response, as enforced by the implementation".
    #[error("something came after the trailers")]
    AfterTrailers,
}

/// The place where a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// Nothing came at all.
    Empty,
    /// After a message, without trailers.
    AfterMessage,
    /// Inside the prefix of a message.
    InsidePrefix,
    /// Inside a message.
    InsideMessage,
    /// Inside the trailers.
    InsideTrailers,
    /// After the trailers: the body is complete.
    Complete,
}

/// Reads the frames of one body.
#[derive(Debug)]
pub struct Frames {
    chunk: Bytes,
    scanner: Scanner,
    max_trailers: usize,
    started: bool,
    /// The frame of trailers, once its prefix is complete.
    trailers: Option<TrailersFrame>,
    complete: bool,
}

#[derive(Debug)]
struct TrailersFrame {
    prefix: Prefix,
    block: BytesMut,
}

impl Frames {
    /// Reads a body whose trailers may be at most `max_trailers` bytes long.
    pub fn new(max_trailers: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            scanner: Scanner::default(),
            max_trailers,
            started: false,
            trailers: None,
            complete: false,
        }
    }

    /// Takes the next bytes of the body, after [`next`](Self::next) has returned `None`.
    pub fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the last chunk has been read to its end");
        self.started |= !chunk.is_empty();
        self.chunk = chunk;
    }

    /// The next piece, `None` when more bytes are needed.
    ///
    /// Messages before a fault are returned before the fault is.
    #[expect(clippy::should_implement_trait, reason = "a fallible step, and `None` is not the end")]
    pub fn next(&mut self) -> Result<Option<Piece>, FrameError> {
        if self.trailers.is_none() && !self.complete {
            let messages = self.scan_messages();
            if messages > 0 {
                return Ok(Some(Piece::Messages(self.chunk.split_to(messages))));
            }
        }
        self.read_trailers()
    }

    /// Where the body has ended, if it ends now.
    pub fn end(&self) -> BodyEnd {
        if self.complete {
            return BodyEnd::Complete;
        }
        match self.scanner.position() {
            _ if self.trailers.is_some() => BodyEnd::InsideTrailers,
            Position::Boundary if self.started => BodyEnd::AfterMessage,
            Position::Boundary => BodyEnd::Empty,
            Position::Prefix { flags } if flags & TRAILERS != 0 => BodyEnd::InsideTrailers,
            Position::Prefix { .. } => BodyEnd::InsidePrefix,
            Position::Payload { .. } => BodyEnd::InsideMessage,
        }
    }

    /// Number of bytes at the start of the chunk that belong to messages. Stops before any other frame.
    fn scan_messages(&mut self) -> usize {
        let mut rest = &self.chunk[..];
        loop {
            let other = match self.scanner.position() {
                Position::Boundary => rest.first().is_none_or(|flags| flags & !COMPRESSED != 0),
                Position::Prefix { flags } => flags & !COMPRESSED != 0,
                Position::Payload { .. } => false,
            };
            if other || self.scanner.next(&mut rest).is_none() {
                return self.chunk.len() - rest.len();
            }
        }
    }

    fn read_trailers(&mut self) -> Result<Option<Piece>, FrameError> {
        let chunk = std::mem::take(&mut self.chunk);
        let mut rest = &chunk[..];
        if self.complete && !rest.is_empty() {
            return Err(FrameError::AfterTrailers);
        }
        if let (Position::Boundary, Some(&flags)) = (self.scanner.position(), rest.first())
            && flags & !(TRAILERS | COMPRESSED) != 0
        {
            return Err(FrameError::ReservedFlags { flags });
        }
        while let Some(event) = self.scanner.next(&mut rest) {
            match event {
                Event::Prefix(prefix) if prefix.payload_len() > self.max_trailers => {
                    return Err(FrameError::TrailersTooLarge { limit: self.max_trailers });
                }
                Event::Prefix(prefix) => {
                    self.trailers = Some(TrailersFrame { prefix, block: BytesMut::new() });
                }
                Event::Payload(payload) => {
                    if let Some(trailers) = &mut self.trailers {
                        trailers.block.extend_from_slice(payload);
                    }
                }
                Event::End => {
                    self.chunk = chunk.slice(chunk.len() - rest.len()..);
                    self.complete = true;
                    return Ok(self.trailers.take().map(|TrailersFrame { prefix, block }| Piece::Trailers {
                        flags: prefix.flags,
                        block: block.freeze(),
                    }));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &[u8] = b"\0\0\0\0\x05hello\x01\0\0\0\0\0\0\0\0\x02hi";
    const END: &[u8] = b"\x80\0\0\0\x10grpc-status: 0\r\n";
    const BLOCK: &[u8] = b"grpc-status: 0\r\n";

    fn pieces(frames: &mut Frames, chunk: &[u8]) -> Result<Vec<Piece>, FrameError> {
        frames.feed(Bytes::copy_from_slice(chunk));
        let mut pieces = Vec::new();
        while let Some(piece) = frames.next()? {
            pieces.push(piece);
        }
        Ok(pieces)
    }

    #[test]
    fn a_chunk_of_messages_is_not_copied() {
        let mut frames = Frames::new(100);
        let chunk = Bytes::from_static(MESSAGES);

        frames.feed(chunk.clone());
        let Ok(Some(Piece::Messages(passed))) = frames.next() else { panic!("no messages") };

        assert_eq!(passed, chunk);
        assert_eq!(passed.as_ptr(), chunk.as_ptr(), "it was copied");
        assert_eq!(frames.next(), Ok(None));
    }

    #[test]
    fn trailers_are_found_wherever_the_body_is_cut_twice() {
        let body = [MESSAGES, END].concat();
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let mut frames = Frames::new(100);
                let mut messages = Vec::new();
                let mut blocks = Vec::new();
                for chunk in [&body[..first], &body[first..second], &body[second..]] {
                    for piece in pieces(&mut frames, chunk).unwrap() {
                        match piece {
                            Piece::Messages(bytes) => messages.extend(bytes),
                            Piece::Trailers { flags, block } => blocks.push((flags, block)),
                        }
                    }
                }
                assert_eq!(messages, MESSAGES, "cut at {first} and {second}");
                assert_eq!(blocks, [(0x80, Bytes::from_static(BLOCK))], "cut at {first} and {second}");
                assert_eq!(frames.end(), BodyEnd::Complete);
            }
        }
    }

    #[test]
    fn messages_before_a_fault_are_returned_first() {
        let mut frames = Frames::new(100);
        frames.feed([MESSAGES, b"\x42"].concat().into());

        assert_eq!(frames.next(), Ok(Some(Piece::Messages(Bytes::from_static(MESSAGES)))));
        assert_eq!(frames.next(), Err(FrameError::ReservedFlags { flags: 0x42 }));
    }

    #[test]
    fn reserved_flags_are_refused_at_their_byte() {
        for flags in (0..=u8::MAX).filter(|flags| !matches!(flags, 0 | 1 | 0x80 | 0x81)) {
            let result = pieces(&mut Frames::new(100), &[flags]);
            assert_eq!(result, Err(FrameError::ReservedFlags { flags }));
        }
    }

    #[test]
    fn trailers_over_the_limit_are_refused_by_their_prefix() {
        let result = pieces(&mut Frames::new(99), b"\x80\0\0\0\x64");
        assert_eq!(result, Err(FrameError::TrailersTooLarge { limit: 99 }));
        assert_eq!(pieces(&mut Frames::new(100), b"\x80\0\0\0\x64"), Ok(vec![]));
    }

    #[test]
    fn nothing_may_follow_the_trailers() {
        for more in [&b"\0"[..], b"\n", END] {
            let result = pieces(&mut Frames::new(100), &[END, more].concat());
            assert_eq!(result, Err(FrameError::AfterTrailers), "{more:?}");
            let mut frames = Frames::new(100);
            pieces(&mut frames, END).unwrap();
            assert_eq!(pieces(&mut frames, more), Err(FrameError::AfterTrailers), "{more:?}");
        }
    }

    #[test]
    fn trailers_may_be_empty() {
        let empty = Piece::Trailers { flags: 0x80, block: Bytes::new() };
        assert_eq!(pieces(&mut Frames::new(100), b"\x80\0\0\0\0"), Ok(vec![empty]));
    }

    #[test]
    fn the_end_of_a_cut_body_is_named() {
        let ends = [
            (&b""[..], BodyEnd::Empty),
            (b"\0\0", BodyEnd::InsidePrefix),
            (b"\0\0\0\0\x02", BodyEnd::InsideMessage),
            (b"\0\0\0\0\x02h", BodyEnd::InsideMessage),
            (b"\0\0\0\0\x02hi", BodyEnd::AfterMessage),
            (b"\x80", BodyEnd::InsideTrailers),
            (b"\x80\0\0\0\x10", BodyEnd::InsideTrailers),
            (b"\x80\0\0\0\x10grpc", BodyEnd::InsideTrailers),
            (END, BodyEnd::Complete),
        ];
        for (body, end) in ends {
            let mut frames = Frames::new(100);
            pieces(&mut frames, body).unwrap();
            assert_eq!(frames.end(), end, "{body:?}");
        }
    }
}
