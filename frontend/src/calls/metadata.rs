//! Metadata as a person reads it: secrets hidden, binary values decoded.

use std::sync::Arc;

use http::HeaderMap;
use tonic::metadata::{KeyAndValueRef, MetadataMap};

use crate::status::{detail_types, field_violations_in};

/// Bytes of a binary value that are shown; more would be no help to a reader.
const SHOWN_BYTES: usize = 64;

/// Keys whose values sign a person in.
const SECRET_KEYS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Value,
}

/// A value to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// As it is.
    Text(String),
    /// A value that nobody should read over a shoulder; it is not kept.
    Hidden,
}

/// The entries in the order of the map, repeated keys included.
pub(super) fn decode(metadata: &HeaderMap) -> Arc<[Entry]> {
    let metadata = MetadataMap::from_headers(metadata.clone());
    metadata
        .iter()
        .map(|entry| match entry {
            KeyAndValueRef::Ascii(key, value) => {
                Entry { key: key.as_str().to_owned(), value: text(key.as_str(), value.as_encoded_bytes()) }
            }
            KeyAndValueRef::Binary(key, value) => {
                let value = match value.to_bytes() {
                    Ok(bytes) => binary(key.as_str(), &bytes),
                    // Not base64: shown as it came.
                    Err(_) => String::from_utf8_lossy(value.as_encoded_bytes()).into_owned(),
                };
                Entry { key: key.as_str().to_owned(), value: Value::Text(value) }
            }
        })
        .collect()
}

fn text(key: &str, value: &[u8]) -> Value {
    if SECRET_KEYS.contains(&key) {
        return Value::Hidden;
    }
    let value = String::from_utf8_lossy(value);
    // The one ASCII key that the protocol percent-encodes.
    let decoded = (key == "grpc-message").then(|| crate::route::percent_decode(&value)).flatten();
    Value::Text(decoded.unwrap_or_else(|| value.into_owned()))
}

fn binary(key: &str, bytes: &[u8]) -> String {
    if key == "grpc-status-details-bin" {
        let details = details(bytes);
        if !details.is_empty() {
            return details;
        }
    }
    hex(bytes)
}

fn details(bytes: &[u8]) -> String {
    let mut lines = detail_types(bytes);
    for violation in field_violations_in(bytes) {
        lines.push([&violation.field, ": ", &violation.description].concat());
    }
    lines.join("\n")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().min(SHOWN_BYTES) * 3 + 4);
    for (index, byte) in bytes.iter().take(SHOWN_BYTES).enumerate() {
        if index > 0 {
            text.push(' ');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    if bytes.len() > SHOWN_BYTES {
        text.push_str(" …");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(key: &'static str, value: &[u8]) -> Value {
        let mut map = HeaderMap::new();
        map.insert(key, http::HeaderValue::from_bytes(value).unwrap());
        decode(&map)[0].value.clone()
    }

    #[test]
    fn text_is_shown_as_it_is() {
        assert_eq!(decoded("grpc-timeout", b"20S"), Value::Text("20S".to_owned()));
    }

    #[test]
    fn what_signs_a_person_in_is_never_kept() {
        for key in SECRET_KEYS {
            assert_eq!(decoded(key, b"Bearer abc"), Value::Hidden, "{key}");
        }
    }

    #[test]
    fn binary_values_are_shown_as_bytes() {
        assert_eq!(decoded("trace-bin", b"AP8Q"), Value::Text("00 ff 10".to_owned()));
        assert_eq!(decoded("trace-bin", b"!!"), Value::Text("!!".to_owned()));
    }

    #[test]
    fn long_binary_values_are_cut() {
        assert!(hex(&[0; 65]).ends_with("00 …"));
        assert_eq!(hex(&[0; 64]).len(), 64 * 3 - 1);
    }

    #[test]
    fn the_status_message_is_percent_decoded() {
        assert_eq!(decoded("grpc-message", b"%E5%A4%AA%E9%95%BF"), Value::Text("太长".to_owned()));
        assert_eq!(decoded("grpc-message", b"100%"), Value::Text("100%".to_owned()));
    }

    #[test]
    fn repeated_keys_are_all_shown() {
        let mut map = HeaderMap::new();
        map.append("x-a", http::HeaderValue::from_static("1"));
        map.append("x-a", http::HeaderValue::from_static("2"));
        assert_eq!(decode(&map).len(), 2);
    }
}
