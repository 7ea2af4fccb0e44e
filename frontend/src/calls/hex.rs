//! A frame's bytes as text: in hexadecimal, as ASCII, and what each part of them means. Knows no
//! document.

use super::{
    frame::{Frame, PREFIX_LEN},
    json::push_hex,
};

/// What a part of a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartKind {
    /// Whether what follows is a message or trailers, and compressed.
    Flag,
    /// The length of what follows.
    Length,
    /// A message.
    Message,
    /// Trailers, as lines of HTTP.
    Trailers,
}

impl PartKind {
    /// As style sheets call it.
    pub(super) fn slug(self) -> &'static str {
        match self {
            PartKind::Flag => "flag",
            PartKind::Length => "length",
            PartKind::Message => "message",
            PartKind::Trailers => "trailers",
        }
    }
}

/// A part with its bytes written twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: PartKind,
    /// `0a 05 57`.
    pub(super) hex: String,
    /// One letter a byte; a dot for what is no visible letter of ASCII.
    pub(super) ascii: String,
}

/// The parts of a frame in their order. `content` says what comes after the prefix; an empty one is no
/// part.
pub(super) fn parts(frame: &Frame, content: PartKind) -> Vec<Part> {
    let [flag, length @ ..] = frame.prefix();
    let mut parts = vec![part(PartKind::Flag, &[flag]), part(PartKind::Length, &length)];
    if !frame.content.is_empty() {
        parts.push(part(content, &frame.content));
    }
    parts
}

/// The offsets at the start of every row of a frame, one on a line.
pub(super) fn offsets(frame: &Frame, bytes_in_row: usize) -> String {
    let mut text = String::new();
    for offset in (0..PREFIX_LEN + frame.content.len()).step_by(bytes_in_row) {
        if offset > 0 {
            text.push('\n');
        }
        text.push_str(&offset_text(offset));
    }
    text
}

/// An offset as four digits.
pub(super) fn offset_text(offset: usize) -> String {
    let mut text = String::with_capacity(4);
    // What is kept of a frame is shorter than 64 KiB.
    for byte in (offset as u16).to_be_bytes() {
        push_hex(byte, &mut text);
    }
    text
}

/// Bytes in hexadecimal, with spaces between them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        push_hex(*byte, &mut text);
    }
    text
}

fn part(kind: PartKind, bytes: &[u8]) -> Part {
    let ascii = bytes
        .iter()
        .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' })
        .collect();
    Part { kind, hex: hex(bytes), ascii }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::calls::frame::KEPT_FRAME_BYTES;

    fn frame(flags: u8, content: &[u8]) -> Frame {
        Frame {
            number: 1,
            after: Duration::ZERO,
            flags,
            length: content.len(),
            content: content.to_vec().into(),
        }
    }

    #[test]
    fn every_byte_of_a_frame_belongs_to_a_part_that_has_a_name() {
        let parts = parts(&frame(0, b"\n\x05World"), PartKind::Message);
        let expected = [
            (PartKind::Flag, "00", "."),
            (PartKind::Length, "00 00 00 07", "...."),
            (PartKind::Message, "0a 05 57 6f 72 6c 64", "..World"),
        ];
        assert_eq!(parts.len(), expected.len());
        for (part, (kind, hex, ascii)) in parts.iter().zip(expected) {
            assert_eq!((part.kind, part.hex.as_str(), part.ascii.as_str()), (kind, hex, ascii));
        }
    }

    #[test]
    fn a_frame_of_nothing_is_its_prefix() {
        assert_eq!(parts(&frame(0x80, b""), PartKind::Trailers).len(), 2);
    }

    #[test]
    fn offsets_stand_at_the_start_of_each_row() {
        // Five bytes of prefix and twelve of content.
        let frame = frame(0, &[0; 12]);
        assert_eq!(offsets(&frame, 8), "0000\n0008\n0010");
        assert_eq!(offsets(&frame, 16), "0000\n0010");
    }

    #[test]
    fn the_last_offset_of_the_longest_frame_has_four_digits() {
        assert_eq!(usize::from_str_radix(&offset_text(PREFIX_LEN + KEPT_FRAME_BYTES), 16), Ok(16_389));
    }
}
