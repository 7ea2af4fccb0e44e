//! Metadata for people: secrets hidden, binary values decoded.

use std::sync::Arc;

use grpc_inspect::hex::bytes_text;
use http::HeaderMap;
use percent_encoding::percent_decode;
use tonic::metadata::{KeyAndValueRef, MetadataMap};

use crate::status::{detail_types, field_violations_in};

/// Bytes of a binary value that are shown.
const SHOWN_BYTES: usize = 64;

/// Keys whose values authenticate a user.
const SECRET_KEYS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// The value.
    pub(crate) value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A text.
    Text(String),
    /// A secret, which is not stored.
    Hidden,
}

/// The entries in the order of the map, with repeated keys.
pub(crate) fn decode(metadata: &HeaderMap) -> Arc<[Entry]> {
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
                    // Not base64: shown as received.
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
    // `grpc-message` is the one ASCII key that the protocol percent-encodes.
    let value = match key {
        "grpc-message" => percent_decode(value).decode_utf8_lossy(),
        _ => String::from_utf8_lossy(value),
    };
    Value::Text(value.into_owned())
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

/// The start of `bytes` in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN_BYTES) {
        Some(start) if bytes.len() > SHOWN_BYTES => [&bytes_text(start), " …"].concat(),
        _ => bytes_text(bytes),
    }
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
    fn text_is_not_changed() {
        assert_eq!(decoded("grpc-timeout", b"20S"), Value::Text("20S".to_owned()));
    }

    #[test]
    fn secrets_are_not_stored() {
        for key in SECRET_KEYS {
            assert_eq!(decoded(key, b"Bearer abc"), Value::Hidden, "{key}");
        }
    }

    #[test]
    fn binary_values_are_hexadecimal() {
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
    fn repeated_keys_are_shown() {
        let mut map = HeaderMap::new();
        map.append("x-a", http::HeaderValue::from_static("1"));
        map.append("x-a", http::HeaderValue::from_static("2"));
        assert_eq!(decode(&map).len(), 2);
    }
}
