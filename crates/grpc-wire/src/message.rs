//! The prefix of a message, and length-prefixed frames in a stream of bytes that is cut anywhere.
//!
//! Format: "Length-Prefixed-Message" of `PROTOCOL-HTTP2.md`: one byte of flags, four bytes of length, big-endian, and
//! as many bytes of payload. gRPC-Web uses the same prefix for its trailers.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Length of a prefix, in bytes.
pub const PREFIX_LEN: usize = 5;

/// Flag of a compressed payload.
pub const COMPRESSED: u8 = 0b0000_0001;

/// The prefix of a message or frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The first byte.
    pub flags: u8,
    /// Length of the payload, in bytes.
    pub length: u32,
}

impl Prefix {
    /// Reads a prefix.
    pub const fn decode([flags, a, b, c, d]: [u8; PREFIX_LEN]) -> Self {
        Self { flags, length: u32::from_be_bytes([a, b, c, d]) }
    }

    /// Writes a prefix.
    pub const fn encode(self) -> [u8; PREFIX_LEN] {
        let [a, b, c, d] = self.length.to_be_bytes();
        [self.flags, a, b, c, d]
    }

    /// Whether the payload is compressed.
    pub const fn is_compressed(self) -> bool {
        self.flags & COMPRESSED != 0
    }

    /// Length of the payload as an index. On targets of 16 bits, `usize::MAX` where it does not fit.
    pub fn payload_len(self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }
}

/// `payload` behind its prefix.
///
/// # Panics
///
/// When `payload` is longer than the format's 32-bit length can say.
pub fn encode(flags: u8, payload: &[u8]) -> Bytes {
    let length = u32::try_from(payload.len()).expect("a payload is shorter than 4 GiB");
    let mut frame = BytesMut::with_capacity(PREFIX_LEN + payload.len());
    frame.put_slice(&Prefix { flags, length }.encode());
    frame.put_slice(payload);
    frame.freeze()
}

/// Takes the first frame off `buffer`, when it is complete.
pub fn split_first(buffer: &mut BytesMut) -> Option<(Prefix, Bytes)> {
    let prefix = Prefix::decode(*buffer.first_chunk()?);
    let end = PREFIX_LEN.checked_add(prefix.payload_len())?;
    if buffer.len() < end {
        return None;
    }
    let frame = buffer.split_to(end).freeze();
    Some((prefix, frame.slice(PREFIX_LEN..)))
}

/// A step of a [`Scanner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A prefix is complete; its payload follows.
    Prefix(Prefix),
    /// The next bytes of the payload. Never empty.
    Payload(&'a [u8]),
    /// The payload is complete. Follows [`Event::Prefix`] at once when it is empty.
    End,
}

/// Position of a [`Scanner`] in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Between two frames, or before the first.
    Boundary,
    /// Inside a prefix of which at least one byte has come.
    Prefix {
        /// The first byte of the prefix.
        flags: u8,
    },
    /// Inside a payload, or before its first byte.
    Payload {
        /// Bytes that are still to come. Zero only between [`Event::Prefix`] and [`Event::End`] of an empty payload.
        missing: usize,
    },
}

/// Follows frames through a stream of bytes that is cut anywhere.
///
/// It reads prefixes and lends payloads; it copies nothing but a prefix that is cut, and holds no payload.
///
/// ```
/// use grpc_wire::message::{Event, Prefix, Scanner};
///
/// let mut scanner = Scanner::default();
/// let mut chunk = &b"\0\0\0\0\x05hello\0"[..];
/// let mut events = std::iter::from_fn(|| scanner.next(&mut chunk));
/// assert_eq!(events.next(), Some(Event::Prefix(Prefix { flags: 0, length: 5 })));
/// assert_eq!(events.next(), Some(Event::Payload(b"hello")));
/// assert_eq!(events.next(), Some(Event::End));
/// assert_eq!(events.next(), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    prefix: [u8; PREFIX_LEN],
    /// Bytes of `prefix` that have come; all of them inside a payload.
    prefix_len: usize,
    missing: usize,
}

impl Scanner {
    /// The next step that `input` allows. Takes off `input` what it has read; `None` when that is everything.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        if self.prefix_len < PREFIX_LEN {
            self.read_prefix(input);
            if self.prefix_len < PREFIX_LEN {
                return None;
            }
            let prefix = Prefix::decode(self.prefix);
            self.missing = prefix.payload_len();
            return Some(Event::Prefix(prefix));
        }
        if self.missing == 0 {
            self.prefix_len = 0;
            return Some(Event::End);
        }
        let (payload, rest) = input.split_at(self.missing.min(input.len()));
        if payload.is_empty() {
            return None;
        }
        *input = rest;
        self.missing -= payload.len();
        Some(Event::Payload(payload))
    }

    /// Where in the stream the next byte stands.
    pub fn position(&self) -> Position {
        match self.prefix_len {
            0 => Position::Boundary,
            PREFIX_LEN => Position::Payload { missing: self.missing },
            _ => Position::Prefix { flags: self.prefix[0] },
        }
    }

    /// Takes as much of a prefix off `input` as there is.
    fn read_prefix(&mut self, input: &mut &[u8]) {
        // Prefixes are seldom cut, and small messages are mostly prefix.
        if let (0, Some((prefix, rest))) = (self.prefix_len, input.split_first_chunk()) {
            self.prefix = *prefix;
            self.prefix_len = PREFIX_LEN;
            *input = rest;
            return;
        }
        let (part, rest) = input.split_at((PREFIX_LEN - self.prefix_len).min(input.len()));
        self.prefix[self.prefix_len..self.prefix_len + part.len()].copy_from_slice(part);
        self.prefix_len += part.len();
        *input = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames of `bytes` that arrive in chunks of `size`: flags and payload.
    fn frames(bytes: &[u8], size: usize) -> Vec<(u8, Vec<u8>)> {
        let mut scanner = Scanner::default();
        let mut frames = Vec::new();
        let mut open: Option<(u8, Vec<u8>)> = None;
        for mut chunk in bytes.chunks(size) {
            while let Some(event) = scanner.next(&mut chunk) {
                match event {
                    Event::Prefix(prefix) => open = Some((prefix.flags, Vec::new())),
                    Event::Payload(payload) => open.as_mut().unwrap().1.extend_from_slice(payload),
                    Event::End => frames.push(open.take().unwrap()),
                }
            }
            assert!(chunk.is_empty());
        }
        assert_eq!(scanner.position(), Position::Boundary);
        frames
    }

    #[test]
    fn frames_are_found_wherever_the_stream_is_cut() {
        let bytes = [encode(0, b"abc"), encode(1, b""), encode(0x80, b"defghij")].concat();
        for size in 1..=bytes.len() {
            let expected = [(0, b"abc".to_vec()), (1, Vec::new()), (0x80, b"defghij".to_vec())];
            assert_eq!(frames(&bytes, size), expected, "in chunks of {size}");
        }
    }

    #[test]
    fn position_tells_boundary_prefix_and_payload_apart() {
        let mut scanner = Scanner::default();
        assert_eq!(scanner.position(), Position::Boundary);
        assert_eq!(scanner.next(&mut &b"\x01\0"[..]), None);
        assert_eq!(scanner.position(), Position::Prefix { flags: 1 });
        let prefix = Prefix { flags: 1, length: 2 };
        assert_eq!(scanner.next(&mut &b"\0\0\x02"[..]), Some(Event::Prefix(prefix)));
        assert_eq!(scanner.position(), Position::Payload { missing: 2 });
        assert_eq!(scanner.next(&mut &b"a"[..]), Some(Event::Payload(b"a")));
        assert_eq!(scanner.next(&mut &b""[..]), None);
        assert_eq!(scanner.position(), Position::Payload { missing: 1 });
        assert_eq!(scanner.next(&mut &b"b"[..]), Some(Event::Payload(b"b")));
        assert_eq!(scanner.next(&mut &b""[..]), Some(Event::End));
        assert_eq!(scanner.position(), Position::Boundary);
    }

    #[test]
    fn a_prefix_survives_encoding_and_decoding() {
        let prefix = Prefix { flags: 0x81, length: 0x0102_0304 };
        assert_eq!(prefix.encode(), [0x81, 1, 2, 3, 4]);
        assert_eq!(Prefix::decode(prefix.encode()), prefix);
        assert!(prefix.is_compressed());
        assert!(!Prefix { flags: 0x80, length: 0 }.is_compressed());
    }

    #[test]
    fn only_complete_frames_are_split_off() {
        let mut buffer = BytesMut::from(&encode(1, b"ab")[..]);
        buffer.extend_from_slice(&encode(0, b"cd")[..6]);
        let (prefix, payload) = split_first(&mut buffer).unwrap();
        assert_eq!((prefix, &payload[..]), (Prefix { flags: 1, length: 2 }, &b"ab"[..]));
        assert_eq!(split_first(&mut buffer), None);
        buffer.extend_from_slice(b"d");
        assert_eq!(split_first(&mut buffer).unwrap().1, "cd");
        assert_eq!(split_first(&mut buffer), None);
        assert!(buffer.is_empty());
    }
}
