//! The body of a response: finds messages and trailers in chunks that are cut anywhere, and applies their limits.
//!
//! One reader serves every format. It parses each prefix once. Messages pass as slices of the chunks they came in,
//! neither cut nor copied: one chunk of ten thousand small messages stays one chunk. Only a prefix that chunks cut is
//! copied, so that nothing of a message passes before its prefix has been checked.
//!
//! Formats: "Length-Prefixed-Message" of `PROTOCOL-HTTP2.md`, "Message framing" and "Text-encoded (response) streams"
//! of `PROTOCOL-WEB.md`. Bit 7 of a frame's flags marks trailers, bit 0 a compressed payload; the others are reserved.

#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};

use crate::content_type::WireFormat;
use crate::message::{COMPRESSED, Event, Position, Prefix, Scanner};
use crate::web::TRAILERS;
use crate::web::text::Decoder;

/// Rules for one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The longest message, in bytes, as it is on the wire.
    pub max_message: usize,
    /// The longest block of trailers, in bytes, as it is on the wire.
    pub max_trailers: usize,
    /// Whether a second message is an error.
    pub single: bool,
    /// Whether messages may be compressed: the headers name an encoding.
    pub compressed: bool,
    /// Whether compressed messages are returned whole, for a decompressor.
    pub split_compressed: bool,
    /// Bytes from the start of each message that [`Message::start`] holds.
    pub capture: usize,
}

impl Rules {
    /// No limits, and nothing is captured.
    pub const UNLIMITED: Self = Self {
        max_message: usize::MAX,
        max_trailers: usize::MAX,
        single: false,
        compressed: true,
        split_compressed: false,
        capture: 0,
    };
}

/// A part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of length-prefixed messages, cut anywhere. Never empty.
    Messages(Bytes),
    /// The payload of one compressed message, where [`Rules::split_compressed`] asks for it.
    Compressed(Bytes),
    /// The payload of the frame of trailers.
    Trailers {
        /// The flags of the frame.
        flags: u8,
        /// The block of trailers, compressed when the flags say so.
        block: Bytes,
    },
}

/// A message that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The flags of its prefix.
    pub flags: u8,
    /// Length of the payload, in bytes.
    pub length: usize,
    /// The start of the payload, of at most [`Rules::capture`] bytes.
    pub start: Vec<u8>,
}

/// A body that breaks the format or a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A frame has reserved flags.
    #[error("a message has the flags {flags:#04x}, which are reserved")]
    ReservedFlags {
        /// All flags of the frame.
        flags: u8,
    },
    /// A message is compressed, and the headers name no encoding.
    #[error("a message is marked as compressed, and no encoding was named")]
    NoEncoding,
    /// A message is longer than the limit.
    #[error("a message of {size} bytes is longer than the limit of {limit}")]
    MessageTooLarge {
        /// Length of the message, in bytes.
        size: u32,
        /// The limit, in bytes.
        limit: usize,
    },
    /// There is a second message, and one is the limit.
    #[error("there is more than one message")]
    SecondMessage,
    /// The trailers are longer than the limit.
    #[error("the trailers are longer than {limit} bytes")]
    TrailersTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// "Trailers must be the last message of the response, as enforced by the implementation".
    #[error("something came after the trailers")]
    AfterTrailers,
    /// The text format has something that is not base64.
    #[error("the text format is not base64")]
    InvalidBase64,
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
    /// Inside a group of four base64 characters of the text format.
    InsideBase64,
    /// After the trailers: the body is complete.
    Complete,
}

/// Reads one body.
///
/// ```
/// use bytes::Bytes;
/// use grpc_wire::content_type::WireFormat;
/// use grpc_wire::reader::{Piece, Reader, Rules};
///
/// let mut reader = Reader::new(WireFormat::GrpcWeb, Rules { max_message: 4 << 20, ..Rules::UNLIMITED });
/// reader.feed(Bytes::from_static(b"\0\0\0\0\x02hi\x80\0\0\0\x10grpc-status: 0\r\n"));
/// let mut next = || reader.next(&mut |message| assert_eq!(message.length, 2));
/// assert_eq!(next()?, Some(Piece::Messages(Bytes::from_static(b"\0\0\0\0\x02hi"))));
/// let block = Bytes::from_static(b"grpc-status: 0\r\n");
/// assert_eq!(next()?, Some(Piece::Trailers { flags: 0x80, block }));
/// assert_eq!(next()?, None);
/// # Ok::<(), grpc_wire::reader::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    rules: Rules,
    /// Whether the trailers are a frame of the body.
    web: bool,
    text: Option<Decoder>,
    chunk: Bytes,
    scanner: Scanner,
    started: bool,
    messages: u64,
    complete: bool,
    failed: Option<ReadError>,
    /// Whether the current frame is returned whole.
    is_held: bool,
    /// Prefix of the current frame, once it is complete.
    prefix: Prefix,
    /// Captured start of the current message.
    start: Vec<u8>,
    /// Payload of a held frame that one chunk has whole.
    whole: Bytes,
    /// Payload of a held frame that several chunks have.
    parts: BytesMut,
}

impl Reader {
    /// Reads a body in `format`.
    pub fn new(format: WireFormat, rules: Rules) -> Self {
        Self {
            rules,
            web: format != WireFormat::Grpc,
            text: (format == WireFormat::GrpcWebText).then(Decoder::default),
            chunk: Bytes::new(),
            scanner: Scanner::default(),
            started: false,
            messages: 0,
            complete: false,
            failed: None,
            is_held: false,
            prefix: Prefix { flags: 0, length: 0 },
            start: Vec::new(),
            whole: Bytes::new(),
            parts: BytesMut::new(),
        }
    }

    /// Takes the next bytes of the body, after [`next`](Self::next) has returned `None`.
    pub fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the last chunk has been read to its end");
        self.chunk = match &mut self.text {
            Some(text) => text.decode(&chunk),
            None => chunk,
        };
        self.started |= !self.chunk.is_empty();
    }

    /// The next piece, `None` when more bytes are needed. Calls `on_message` for each message that it completes.
    ///
    /// Messages before a fault are returned before the fault is.
    pub fn next(&mut self, on_message: &mut dyn FnMut(Message)) -> Result<Option<Piece>, ReadError> {
        if let Some(error) = self.failed {
            self.chunk.clear();
            return Err(error);
        }
        let chunk = std::mem::take(&mut self.chunk);
        let mut rest = &chunk[..];
        let (passed, piece) = self.scan(&chunk, &mut rest, on_message);
        if self.failed.is_none() {
            self.chunk = chunk.slice(chunk.len() - rest.len()..);
        }
        if passed > 0 {
            return Ok(Some(Piece::Messages(chunk.slice(..passed))));
        }
        if piece.is_none() && self.text.as_ref().is_some_and(Decoder::is_invalid) {
            self.failed.get_or_insert(ReadError::InvalidBase64);
        }
        self.failed.map_or(Ok(piece), Err)
    }

    /// Number of messages that have begun.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Where the body has ended, if it ends now.
    pub fn end(&self) -> BodyEnd {
        if self.text.as_ref().is_some_and(Decoder::is_incomplete) {
            return BodyEnd::InsideBase64;
        }
        match self.scanner.position() {
            _ if self.complete => BodyEnd::Complete,
            Position::Boundary if self.started => BodyEnd::AfterMessage,
            Position::Boundary => BodyEnd::Empty,
            Position::Prefix { flags } if flags & TRAILERS != 0 => BodyEnd::InsideTrailers,
            Position::Prefix { .. } => BodyEnd::InsidePrefix,
            Position::Payload { .. } if self.prefix.flags & TRAILERS != 0 => BodyEnd::InsideTrailers,
            Position::Payload { .. } => BodyEnd::InsideMessage,
        }
    }

    /// Reads `rest`, the end of `chunk`, up to a held frame that follows messages, or to a fault.
    ///
    /// Returns the number of bytes at the start of `chunk` that pass, or else a piece that is no slice of it.
    fn scan(
        &mut self,
        chunk: &Bytes,
        rest: &mut &[u8],
        on_message: &mut dyn FnMut(Message),
    ) -> (usize, Option<Piece>) {
        let mut passed = 0;
        let is_prefix_cut = matches!(self.scanner.position(), Position::Prefix { .. });
        loop {
            if let (Position::Boundary, Some(&flags)) = (self.scanner.position(), rest.first()) {
                match self.check_flags(flags) {
                    Ok(true) if passed > 0 => return (passed, None),
                    Ok(is_held) => self.is_held = is_held,
                    Err(error) => {
                        self.failed = Some(error);
                        return (passed, None);
                    }
                }
            }
            match self.scanner.next(rest) {
                Some(Event::Prefix(prefix)) => {
                    if let Err(error) = self.begin(prefix) {
                        self.failed = Some(error);
                        return (passed, None);
                    }
                    if is_prefix_cut && !self.is_held {
                        return (0, Some(Piece::Messages(Bytes::copy_from_slice(&prefix.encode()))));
                    }
                }
                Some(Event::Payload(payload)) => self.keep(chunk, payload),
                Some(Event::End) => {
                    if let Some(piece) = self.finish(on_message) {
                        return (passed, Some(piece));
                    }
                }
                None => return (passed, None),
            }
            if !self.is_held {
                passed = chunk.len() - rest.len();
            }
        }
    }

    /// Whether a frame with `flags` is held.
    fn check_flags(&self, flags: u8) -> Result<bool, ReadError> {
        let known = if self.web { TRAILERS | COMPRESSED } else { COMPRESSED };
        if self.complete {
            return Err(ReadError::AfterTrailers);
        }
        if flags & !known != 0 {
            return Err(ReadError::ReservedFlags { flags });
        }
        Ok(flags & TRAILERS != 0 || (flags & COMPRESSED != 0 && self.rules.split_compressed))
    }

    fn begin(&mut self, prefix: Prefix) -> Result<(), ReadError> {
        let Rules { max_message, max_trailers, single, compressed, .. } = self.rules;
        self.prefix = prefix;
        if prefix.flags & TRAILERS != 0 {
            return match prefix.payload_len() {
                length if length > max_trailers => Err(ReadError::TrailersTooLarge { limit: max_trailers }),
                _ => Ok(()),
            };
        }
        if single && self.messages > 0 {
            return Err(ReadError::SecondMessage);
        }
        if prefix.is_compressed() && !compressed {
            return Err(ReadError::NoEncoding);
        }
        if prefix.payload_len() > max_message {
            return Err(ReadError::MessageTooLarge { size: prefix.length, limit: max_message });
        }
        self.messages += 1;
        Ok(())
    }

    /// Captures the start of a message, and keeps the payload of a held frame.
    fn keep(&mut self, chunk: &Bytes, payload: &[u8]) {
        let wanted = self.rules.capture - self.start.len();
        if wanted > 0 && self.prefix.flags & TRAILERS == 0 {
            self.start.extend_from_slice(&payload[..payload.len().min(wanted)]);
        }
        if !self.is_held {
            return;
        }
        if payload.len() == self.prefix.payload_len() {
            self.whole = chunk.slice_ref(payload);
        } else {
            self.parts.extend_from_slice(payload);
        }
    }

    /// Ends the current frame. Returns it where it is held.
    fn finish(&mut self, on_message: &mut dyn FnMut(Message)) -> Option<Piece> {
        let Prefix { flags, .. } = self.prefix;
        let mut payload = std::mem::take(&mut self.whole);
        if payload.is_empty() {
            payload = self.parts.split().freeze();
        }
        if flags & TRAILERS != 0 {
            self.complete = true;
            return Some(Piece::Trailers { flags, block: payload });
        }
        let length = self.prefix.payload_len();
        on_message(Message { flags, length, start: std::mem::take(&mut self.start) });
        self.is_held.then_some(Piece::Compressed(payload))
    }
}
