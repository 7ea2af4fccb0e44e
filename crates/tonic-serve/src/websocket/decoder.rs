//! Frames from a client, without I/O: bytes as they come in, payload out, in the same buffer.
//!
//! Nothing is held back for the rest of a frame, so a frame of any length costs no memory.

use super::close::CloseCode;

/// Longest header from a client: two bytes, a length of eight, a mask of four.
const MAX_HEADER: usize = 14;

/// Longest payload of a control frame (RFC 6455, section 5.5).
pub(super) const MAX_CONTROL: usize = 125;

/// Opcodes (RFC 6455, section 5.2).
pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xa;

/// The first bit of a frame: the last one of its message.
pub(super) const FINAL: u8 = 0x80;
/// Bits of extensions, none of which is negotiated.
const RESERVED: u8 = 0x70;
/// The first bit of a length: the payload is masked.
pub(super) const MASKED: u8 = 0x80;
/// Lengths that stand for a longer field.
pub(super) const LENGTH_16: u8 = 126;
pub(super) const LENGTH_64: u8 = 127;

/// Reads the frames of a client.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    header: [u8; MAX_HEADER],
    /// Bytes of the header that have come. None inside a payload.
    header_len: usize,
    /// Bytes of the payload that have not come.
    left: u64,
    /// The mask of the next byte of the payload comes first.
    mask: [u8; 4],
    opcode: u8,
    /// A message has begun and not ended.
    in_message: bool,
    control: Control,
    ping: Option<Control>,
    end: Option<End>,
}

/// The payload of a control frame.
#[derive(Clone, Copy)]
pub(super) struct Control {
    bytes: [u8; MAX_CONTROL],
    len: usize,
}

impl Default for Control {
    fn default() -> Self {
        Self { bytes: [0; MAX_CONTROL], len: 0 }
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.bytes().fmt(f)
    }
}

impl Control {
    /// The payload.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

/// The end of a client's frames. Bytes after it are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A Close frame, with its code if it has one.
    Closed(Option<CloseCode>),
    /// A violation of the protocol.
    Failed(Violation),
}

/// A violation of the protocol, and the code that tells the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: CloseCode,
    pub(super) reason: &'static str,
}

impl Violation {
    fn new(reason: &'static str) -> Self {
        Self { code: CloseCode::PROTOCOL, reason }
    }
}

impl Decoder {
    /// Takes `bytes` as they were received, and moves the payload among them to their beginning. Returns its length.
    pub(super) fn decode(&mut self, bytes: &mut [u8]) -> usize {
        let (mut read, mut written) = (0, 0);
        while read < bytes.len() && self.end.is_none() {
            if self.left == 0 {
                read += self.read_header(&bytes[read..]);
                continue;
            }
            let left = usize::try_from(self.left).unwrap_or(usize::MAX);
            let len = left.min(bytes.len() - read);
            let part = read..read + len;
            self.unmask(&mut bytes[part.clone()]);
            if self.opcode & CLOSE == 0 {
                bytes.copy_within(part, written);
                written += len;
            } else {
                self.control.extend(&bytes[part]);
            }
            read += len;
            self.left -= len as u64;
            if self.left == 0 {
                self.end_frame();
            }
        }
        written
    }

    /// The end, if it has come.
    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    /// The last ping without an answer. Answering only the last one is allowed (RFC 6455, section 5.5.3).
    pub(super) fn take_ping(&mut self) -> Option<Control> {
        self.ping.take()
    }

    /// Reads from `bytes`, which begin in a header. Returns the number of bytes that were read.
    fn read_header(&mut self, bytes: &[u8]) -> usize {
        let len = (header_len(&self.header[..self.header_len]) - self.header_len).min(bytes.len());
        self.header[self.header_len..][..len].copy_from_slice(&bytes[..len]);
        self.header_len += len;
        let checked = match self.header_len {
            1 => self.check_first(),
            _ => self.check_first().and_then(|()| self.check_length()),
        };
        match checked {
            Err(violation) => self.end = Some(End::Failed(violation)),
            Ok(()) if self.header_len == header_len(&self.header[..self.header_len]) => self.begin_frame(),
            Ok(()) => {}
        }
        len
    }

    fn check_first(&self) -> Result<(), Violation> {
        let first = self.header[0];
        let (opcode, is_final) = (first & 0xf, first & FINAL != 0);
        if first & RESERVED != 0 {
            return Err(Violation::new("a reserved bit is set"));
        }
        match opcode {
            CLOSE | PING | PONG if !is_final => Err(Violation::new("a control frame is fragmented")),
            CLOSE | PING | PONG => Ok(()),
            CONTINUATION if !self.in_message => Err(Violation::new("a continuation has no beginning")),
            CONTINUATION => Ok(()),
            TEXT | BINARY if self.in_message => Err(Violation::new("a message begins inside another one")),
            TEXT => Err(Violation { code: CloseCode::UNSUPPORTED, reason: "the message is text" }),
            BINARY => Ok(()),
            _ => Err(Violation::new("the opcode is unknown")),
        }
    }

    fn check_length(&self) -> Result<(), Violation> {
        let (opcode, length) = (self.header[0] & 0xf, self.header[1] & !MASKED);
        if self.header[1] & MASKED == 0 {
            return Err(Violation::new("the frame is not masked"));
        }
        if opcode & CLOSE != 0 && usize::from(length) > MAX_CONTROL {
            return Err(Violation::new("a control frame is too long"));
        }
        if self.header_len < header_len(&self.header[..2]) {
            return Ok(());
        }
        match (length, self.payload_len()) {
            (LENGTH_16, ..126) | (LENGTH_64, ..0x1_0000) => Err(Violation::new("the length is not minimal")),
            (LENGTH_64, 0x8000_0000_0000_0000..) => Err(Violation::new("the length is negative")),
            _ => Ok(()),
        }
    }

    /// The length in a complete header.
    fn payload_len(&self) -> u64 {
        let [_, length, a, b, c, d, e, f, g, h, ..] = self.header;
        match length & !MASKED {
            LENGTH_16 => u16::from_be_bytes([a, b]).into(),
            LENGTH_64 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            length => length.into(),
        }
    }

    fn begin_frame(&mut self) {
        self.opcode = self.header[0] & 0xf;
        self.left = self.payload_len();
        self.mask.copy_from_slice(&self.header[self.header_len - 4..self.header_len]);
        self.header_len = 0;
        if self.opcode & CLOSE == 0 {
            self.in_message = self.header[0] & FINAL == 0;
        } else {
            self.control.len = 0;
        }
        if self.left == 0 {
            self.end_frame();
        }
    }

    fn end_frame(&mut self) {
        match self.opcode {
            PING => self.ping = Some(self.control),
            CLOSE => {
                self.end = Some(close_code(self.control.bytes()).map_or_else(End::Failed, End::Closed));
            }
            _ => {}
        }
    }

    fn unmask(&mut self, bytes: &mut [u8]) {
        let mut chunks = bytes.chunks_exact_mut(4);
        for chunk in &mut chunks {
            for (byte, mask) in chunk.iter_mut().zip(self.mask) {
                *byte ^= mask;
            }
        }
        let rest = chunks.into_remainder();
        for (byte, mask) in rest.iter_mut().zip(self.mask) {
            *byte ^= mask;
        }
        self.mask.rotate_left(rest.len());
    }
}

/// The length of the header that begins with `start`, as far as that tells.
fn header_len(start: &[u8]) -> usize {
    let Some(length) = start.get(1) else { return 2 };
    match length & !MASKED {
        LENGTH_16 => 8,
        LENGTH_64 => 14,
        _ => 6,
    }
}

fn close_code(payload: &[u8]) -> Result<Option<CloseCode>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Violation::new("the close code is cut off")),
        [a, b, reason @ ..] => (CloseCode(u16::from_be_bytes([*a, *b])), reason),
    };
    if !code.may_be_sent() {
        return Err(Violation::new("the close code is reserved"));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Violation { code: CloseCode::INVALID_TEXT, reason: "the close reason is not UTF-8" });
    }
    Ok(Some(code))
}

#[cfg(test)]
mod tests;
