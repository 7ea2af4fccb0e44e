//! The text form of a body: base64, in parts that each may end with padding, cut anywhere.
//!
//! Format: "Text-encoded (response) streams" in `PROTOCOL-WEB.md`: a server may pad whenever it flushes, so
//! padding may come at any group of four characters and says nothing of frames.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};

/// Characters that make one group, which stands for up to three bytes.
const GROUP: usize = 4;

/// `plain` as one padded part.
pub(super) fn encode(plain: &[u8]) -> String {
    STANDARD.encode(plain)
}

/// Decodes one body.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// Characters of a group whose rest has not come: fewer than [`GROUP`].
    begun: BytesMut,
    broken: bool,
}

impl Text {
    /// The bytes that `chunk` completes, up to the first fault.
    pub(super) fn decode(&mut self, chunk: &[u8]) -> Bytes {
        self.begun.extend_from_slice(chunk);
        let whole = self.begun.len() - self.begun.len() % GROUP;
        let groups = self.begun.split_to(whole);
        let mut plain = Vec::with_capacity(whole / GROUP * 3);
        let mut rest = &groups[..];
        while !rest.is_empty() && !self.broken {
            let (part, after) = rest.split_at(end_of_part(rest));
            self.broken = !append(part, &mut plain);
            rest = after;
        }
        plain.into()
    }

    /// Whether something came that is no base64.
    pub(super) fn broken(&self) -> bool {
        self.broken
    }

    /// Whether a body that ends now is cut inside a group.
    pub(super) fn cut(&self) -> bool {
        !self.begun.is_empty()
    }
}

/// Where the first part of whole groups ends: behind its padding.
fn end_of_part(groups: &[u8]) -> usize {
    match groups.iter().position(|&character| character == b'=') {
        Some(padding) => (padding / GROUP + 1) * GROUP,
        None => groups.len(),
    }
}

/// Appends what `part` stands for. `false` when it has a fault; the groups before the fault are appended.
fn append(part: &[u8], plain: &mut Vec<u8>) -> bool {
    append_all(part, plain) || part.chunks(GROUP).all(|group| append_all(group, plain))
}

/// Appends what `part` stands for, or nothing.
fn append_all(part: &[u8], plain: &mut Vec<u8>) -> bool {
    let before = plain.len();
    let valid = STANDARD.decode_vec(part, plain).is_ok();
    if !valid {
        // Whatever is left of the attempt.
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
                let mut decoder = Text::default();
                let mut plain = Vec::new();
                for chunk in [&text[..first], &text[first..second], &text[second..]] {
                    plain.extend(decoder.decode(chunk.as_bytes()));
                }
                assert_eq!(plain, b"abcdefghij", "cut at {first} and {second}");
                assert!(!decoder.broken() && !decoder.cut());
            }
        }
    }

    #[test]
    fn what_is_no_base64_is_noticed_and_what_came_before_it_is_kept() {
        for (text, before) in [
            ("YWJj****", "abc"),
            ("YWJj=AAA", "abc"),
            ("YQ=aYWJj", ""),
            ("YWJjYR==", "abc"),
            ("====", ""),
            ("YWJj\r\nYW", "abc"),
        ] {
            for cut in 0..=text.len() {
                let mut decoder = Text::default();
                let mut plain = decoder.decode(&text.as_bytes()[..cut]).to_vec();
                plain.extend(decoder.decode(&text.as_bytes()[cut..]));
                assert!(decoder.broken(), "{text:?} cut at {cut}");
                assert_eq!(plain, before.as_bytes(), "{text:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_group_that_is_not_complete_is_noticed() {
        let mut decoder = Text::default();
        decoder.decode(b"YWJjY");
        assert!(decoder.cut() && !decoder.broken());
        decoder.decode(b"Q==");
        assert!(!decoder.cut());
    }
}
