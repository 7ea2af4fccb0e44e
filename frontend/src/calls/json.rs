//! Request messages as protobuf's JSON, for reading and for `grpcurl`. Written by hand: the page
//! has a dozen flat messages, and a JSON library would weigh more than the whole panel.

use std::{cell::RefCell, sync::Arc};

/// Longer descriptions are not kept.
const KEPT_LENGTH: usize = 16 * 1024;

thread_local! {
    // The channel's observer sees bytes, not messages. A description waits here from just before a
    // call to its `Started`, which follows within the same turn of the event loop.
    static NEXT: RefCell<Option<(&'static str, String)>> = const { RefCell::new(None) };
}

/// Says what the next call to a path (`/package.Service/Method`) sends.
pub(crate) fn describe_next(path: &'static str, message: Json) {
    let message = message.finish();
    NEXT.set((message.len() <= KEPT_LENGTH).then_some((path, message)));
}

/// What was said about a call to this path, once.
pub(super) fn take_description(path: &str) -> Option<Arc<str>> {
    NEXT.with_borrow_mut(|next| {
        let (_, message) = next.take_if(|(described, _)| *described == path)?;
        Some(message.into())
    })
}

/// A JSON object under construction. Fields with their default value are left out, as protobuf does.
#[derive(Debug, Default)]
pub(crate) struct Json {
    text: String,
}

impl Json {
    pub(crate) fn text(mut self, key: &str, value: &str) -> Json {
        if !value.is_empty() {
            self.key(key);
            quote(value, &mut self.text);
        }
        self
    }

    /// A 32 bit number.
    pub(crate) fn number(mut self, key: &str, value: u32) -> Json {
        if value != 0 {
            self.key(key);
            self.text.push_str(&value.to_string());
        }
        self
    }

    /// A 64 bit number, which JSON's numbers do not hold: written as text.
    pub(crate) fn long(self, key: &str, value: u64) -> Json {
        match value {
            0 => self,
            value => self.text(key, &value.to_string()),
        }
    }

    pub(crate) fn flag(mut self, key: &str, value: bool) -> Json {
        if value {
            self.key(key);
            self.text.push_str("true");
        }
        self
    }

    /// Bytes, as base64.
    pub(crate) fn bytes(self, key: &str, value: &[u8]) -> Json {
        self.text(key, &base64(value))
    }

    fn finish(self) -> String {
        ["{", &self.text, "}"].concat()
    }

    fn key(&mut self, key: &str) {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        quote(key, &mut self.text);
        self.text.push(':');
    }
}

fn quote(value: &str, into: &mut String) {
    into.push('"');
    for letter in value.chars() {
        match letter {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\t' => into.push_str("\\t"),
            '\r' => into.push_str("\\r"),
            control if u32::from(control) < 0x20 => {
                into.push_str("\\u00");
                into.push(if u32::from(control) < 0x10 { '0' } else { '1' });
                into.push(char::from(b"0123456789abcdef"[(u32::from(control) & 15) as usize]));
            }
            other => into.push(other),
        }
    }
    into.push('"');
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = (group >> (18 - 6 * place) & 63) as usize;
            text.push(if place <= chunk.len() { char::from(ALPHABET[digit]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_as_protobuf_writes_them() {
        let json = Json::default()
            .text("roomId", "general")
            .bytes("operationId", &[1, 2, 3, 4])
            .long("beforeSeq", 1 << 60)
            .number("limit", 50)
            .flag("returnToken", true)
            .text("empty", "")
            .finish();
        assert_eq!(
            json,
            r#"{"roomId":"general","operationId":"AQIDBA==","beforeSeq":"1152921504606846976","limit":50,"returnToken":true}"#
        );
        assert_eq!(Json::default().finish(), "{}");
    }

    #[test]
    fn letters_that_json_reserves_are_escaped() {
        let json = Json::default().text("t", "a\"b\\c\nd\te\u{1}\u{1f}é房").finish();
        assert_eq!(json, r#"{"t":"a\"b\\c\nd\te\u0001\u001fé房"}"#);
    }

    #[test]
    fn base64_pads_every_length() {
        // The examples of RFC 4648, section 10.
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn a_description_is_taken_once_and_only_by_its_own_path() {
        describe_next("/a.B/C", Json::default().text("name", "x"));
        assert_eq!(take_description("/a.B/Other"), None);
        assert_eq!(take_description("/a.B/C").as_deref(), Some(r#"{"name":"x"}"#));
        assert_eq!(take_description("/a.B/C"), None);
    }

    #[test]
    fn a_huge_description_is_not_kept() {
        describe_next("/a.B/C", Json::default().text("name", &"x".repeat(KEPT_LENGTH)));
        assert_eq!(take_description("/a.B/C"), None);
    }
}
