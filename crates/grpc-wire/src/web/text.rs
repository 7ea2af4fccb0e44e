//! The text format of a body: base64, in parts that may each end with padding, cut anywhere.
//!
//! Format: "Text-encoded (response) streams" of `PROTOCOL-WEB.md`: a sender may pad whenever it flushes, so padding may
//! come after any group of four characters and says nothing about frames.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};

/// Characters of one group, which stands for up to three bytes.
const GROUP: usize = 4;

/// `plain` as one padded part.
pub fn encode(plain: &[u8]) -> String {
    STANDARD.encode(plain)
}

/// Decodes one body.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The start of an incomplete group: fewer than [`GROUP`] characters.
    group: BytesMut,
    invalid: bool,
}

impl Decoder {
    /// The bytes that `chunk` completes, up to the first invalid group. Nothing after an invalid group is decoded.
    pub fn decode(&mut self, chunk: &[u8]) -> Bytes {
        self.group.extend_from_slice(chunk);
        let whole = self.group.len() - self.group.len() % GROUP;
        let groups = self.group.split_to(whole);
        let mut plain = Vec::with_capacity(whole / GROUP * 3);
        let mut rest = &groups[..];
        while !rest.is_empty() && !self.invalid {
            let (part, after) = rest.split_at(part_len(rest));
            self.invalid = !append(part, &mut plain);
            rest = after;
        }
        plain.into()
    }

    /// Whether something came that is not base64.
    pub fn is_invalid(&self) -> bool {
        self.invalid
    }

    /// Whether a body that ends now ends inside a group.
    pub fn is_incomplete(&self) -> bool {
        !self.group.is_empty()
    }
}

/// Length of the first part of whole groups: up to its padding.
fn part_len(groups: &[u8]) -> usize {
    match groups.iter().position(|&character| character == b'=') {
        Some(padding) => (padding / GROUP + 1) * GROUP,
        None => groups.len(),
    }
}

/// Appends the bytes of `part`. `false` when a group is invalid; the groups before it are appended.
fn append(part: &[u8], plain: &mut Vec<u8>) -> bool {
    append_whole(part, plain) || part.chunks(GROUP).all(|group| append_whole(group, plain))
}

/// Appends the bytes of `part`, or nothing.
fn append_whole(part: &[u8], plain: &mut Vec<u8>) -> bool {
    let before = plain.len();
    let valid = STANDARD.decode_vec(part, plain).is_ok();
    if !valid {
        plain.truncate(before);
    }
    valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_parts_are_decoded_wherever_they_are_cut_twice() {
        let text: String = ["a", "bc", "def", "", "ghij"].map(|part| encode(part.as_bytes())).concat();
        assert!(text.contains("==") && text.len() > 16);
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut decoder = Decoder::default();
                let mut plain = Vec::new();
                for chunk in [&text[..first], &text[first..second], &text[second..]] {
                    plain.extend(decoder.decode(chunk.as_bytes()));
                }
                assert_eq!(plain, b"abcdefghij", "cut at {first} and {second}");
                assert!(!decoder.is_invalid() && !decoder.is_incomplete());
            }
        }
    }

    #[test]
    fn bytes_before_an_invalid_group_are_kept() {
        for (text, before) in [
            ("YWJj****", "abc"),
            ("YWJj=AAA", "abc"),
            ("YQ=aYWJj", ""),
            ("YWJjYR==", "abc"),
            ("====", ""),
            ("YWJj\r\nYW", "abc"),
        ] {
            for cut in 0..=text.len() {
                let mut decoder = Decoder::default();
                let mut plain = decoder.decode(&text.as_bytes()[..cut]).to_vec();
                plain.extend(decoder.decode(&text.as_bytes()[cut..]));
                assert!(decoder.is_invalid(), "{text:?} cut at {cut}");
                assert_eq!(plain, before.as_bytes(), "{text:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn nothing_after_an_invalid_group_is_decoded() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(b"****YWJj"), "");
        assert_eq!(decoder.decode(b"YWJj"), "");
        assert!(decoder.is_invalid());
    }

    #[test]
    fn an_incomplete_group_is_noticed() {
        let mut decoder = Decoder::default();
        decoder.decode(b"YWJjY");
        assert!(decoder.is_incomplete() && !decoder.is_invalid());
        decoder.decode(b"Q==");
        assert!(!decoder.is_incomplete());
    }
}
