//! A frame as a hex dump whose parts have names.

use grpc_wire::message::PREFIX_LEN;

use crate::frame::Frame;

/// A part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// The flags: message or trailers, compressed or not.
    Flags,
    /// The length of the payload.
    Length,
    /// A message.
    Message,
    /// Trailers, as lines of HTTP/1.1 headers.
    Trailers,
}

/// A part with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which part.
    pub kind: PartKind,
    /// The bytes in hexadecimal: `0a 05 57`.
    pub hex: String,
    /// One character a byte; a dot where the byte is not printable ASCII.
    pub ascii: String,
}

/// The parts of a frame in their order. `payload` is the kind of its payload; an empty payload gives no part.
pub fn parts(frame: &Frame, payload: PartKind) -> Vec<Part> {
    let [flags, length @ ..] = frame.prefix();
    let mut parts = vec![part(PartKind::Flags, &[flags]), part(PartKind::Length, &length)];
    if !frame.payload.is_empty() {
        parts.push(part(payload, &frame.payload));
    }
    parts
}

/// The offsets at the start of every row of a dump, one a line.
pub fn row_offsets(frame: &Frame, bytes_per_row: usize) -> String {
    let mut text = String::new();
    for offset in (0..PREFIX_LEN + frame.payload.len()).step_by(bytes_per_row) {
        if offset > 0 {
            text.push('\n');
        }
        text.push_str(&offset_text(offset));
    }
    text
}

/// An offset in a frame as four hexadecimal digits, enough for what a [`crate::frame::FrameBuffer`] keeps of one.
pub fn offset_text(offset: usize) -> String {
    let mut text = String::with_capacity(4);
    for byte in (offset as u16).to_be_bytes() {
        push_hex(byte, &mut text);
    }
    text
}

/// Bytes in hexadecimal, separated by spaces.
pub fn bytes_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        push_hex(*byte, &mut text);
    }
    text
}

/// Writes a byte as two hexadecimal digits.
pub(crate) fn push_hex(byte: u8, into: &mut String) {
    for digit in [byte >> 4, byte & 15] {
        into.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
    }
}

fn part(kind: PartKind, bytes: &[u8]) -> Part {
    let ascii = bytes
        .iter()
        .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' })
        .collect();
    Part { kind, hex: bytes_text(bytes), ascii }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::frame::MAX_PAYLOAD_BYTES;

    fn frame(flags: u8, payload: &[u8]) -> Frame {
        let payload = payload.to_vec();
        Frame { number: 1, elapsed: Duration::ZERO, flags, length: payload.len(), payload: payload.into() }
    }

    #[test]
    fn every_byte_of_a_frame_belongs_to_a_named_part() {
        let parts = parts(&frame(0, b"\n\x05World"), PartKind::Message);
        let expected = [
            (PartKind::Flags, "00", "."),
            (PartKind::Length, "00 00 00 07", "...."),
            (PartKind::Message, "0a 05 57 6f 72 6c 64", "..World"),
        ];
        assert_eq!(parts.len(), expected.len());
        for (part, (kind, hex, ascii)) in parts.iter().zip(expected) {
            assert_eq!((part.kind, part.hex.as_str(), part.ascii.as_str()), (kind, hex, ascii));
        }
    }

    #[test]
    fn a_frame_without_payload_has_two_parts() {
        assert_eq!(parts(&frame(0x80, b""), PartKind::Trailers).len(), 2);
    }

    #[test]
    fn each_row_has_its_offset() {
        // Five bytes of prefix and twelve of payload.
        let frame = frame(0, &[0; 12]);
        assert_eq!(row_offsets(&frame, 8), "0000\n0008\n0010");
        assert_eq!(row_offsets(&frame, 16), "0000\n0010");
    }

    #[test]
    fn the_last_offset_of_the_longest_frame_fits_four_digits() {
        assert_eq!(usize::from_str_radix(&offset_text(PREFIX_LEN + MAX_PAYLOAD_BYTES), 16), Ok(16_389));
    }
}
