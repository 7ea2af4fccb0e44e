//! The metadata of a request, as a person writes it. Knows no document.

use grpc_wire::metadata::decode_binary;
use tonic::metadata::{AsciiMetadataKey, BinaryMetadataKey, MetadataMap, MetadataValue};

/// Keys that are offered while a person types.
pub(super) const KNOWN_KEYS: [&str; 14] = [
    "accept-language",
    "authorization",
    "grpc-tags-bin",
    "grpc-trace-bin",
    "traceparent",
    "tracestate",
    "x-api-key",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-correlation-id",
    "x-goog-request-params",
    "x-request-id",
    "x-user-agent",
];

/// Keys that the channel sets itself.
const OF_THE_PROTOCOL: [&str; 5] =
    ["content-type", "grpc-accept-encoding", "grpc-encoding", "grpc-timeout", "x-grpc-web"];

/// Keys that the Fetch Standard forbids to a page, which browsers drop in silence. Those that begin with `proxy-` and `sec-`, too.
const OF_THE_BROWSER: [&str; 19] = [
    "accept-charset",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "connection",
    "content-length",
    "cookie",
    "date",
    "dnt",
    "expect",
    "host",
    "keep-alive",
    "origin",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Parts of keys whose values are secrets.
const SECRET_PARTS: [&str; 7] = ["auth", "cookie", "key", "password", "secret", "session", "token"];

/// A key and its value, as they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) value: String,
}

/// Why a row is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidRow {
    /// There is a value, and no key.
    NoKey,
    /// The key has other characters than those of metadata.
    Key,
    /// The channel sets this key.
    OfTheProtocol,
    /// A browser lets no page set this key.
    OfTheBrowser,
    /// The value has characters that metadata cannot have.
    Value,
    /// The value of a key that ends in `-bin` is not base64.
    Base64,
}

impl Row {
    /// Whether nothing was typed.
    pub(super) fn is_blank(&self) -> bool {
        self.key.trim().is_empty() && self.value.trim().is_empty()
    }

    /// The key as it is sent.
    pub(super) fn key(&self) -> String {
        self.key.trim().to_ascii_lowercase()
    }

    /// Whether the value may be a secret, by the name of its key.
    pub(super) fn is_secret(&self) -> bool {
        let key = self.key();
        SECRET_PARTS.iter().any(|part| key.contains(part))
    }

    /// Checks the row, and adds it. A blank one is left out.
    pub(super) fn add_to(&self, metadata: &mut MetadataMap) -> Result<(), InvalidRow> {
        if self.is_blank() {
            return Ok(());
        }
        let key = self.key();
        match key.as_str() {
            "" => return Err(InvalidRow::NoKey),
            key if OF_THE_PROTOCOL.contains(&key) => return Err(InvalidRow::OfTheProtocol),
            key if is_of_the_browser(key) => return Err(InvalidRow::OfTheBrowser),
            _ => {}
        }
        if !key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte))
        {
            return Err(InvalidRow::Key);
        }
        if key.ends_with("-bin") {
            let key = BinaryMetadataKey::from_bytes(key.as_bytes()).map_err(|_| InvalidRow::Key)?;
            metadata.append_bin(key, MetadataValue::from_bytes(&bytes(&self.value)?));
            return Ok(());
        }
        let key = AsciiMetadataKey::from_bytes(key.as_bytes()).map_err(|_| InvalidRow::Key)?;
        let is_sendable = self.value.trim().bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let value = self.value.trim().parse().ok().filter(|_| is_sendable).ok_or(InvalidRow::Value)?;
        metadata.append(key, value);
        Ok(())
    }
}

fn is_of_the_browser(key: &str) -> bool {
    OF_THE_BROWSER.contains(&key) || key.starts_with("proxy-") || key.starts_with("sec-")
}

/// The bytes of a base64 text, with or without padding, in either alphabet.
fn bytes(text: &str) -> Result<Vec<u8>, InvalidRow> {
    let text: String = text
        .chars()
        .filter(|letter| !letter.is_ascii_whitespace())
        .map(|letter| match letter {
            '-' => '+',
            '_' => '/',
            letter => letter,
        })
        .collect();
    decode_binary(text.as_bytes()).map_err(|_| InvalidRow::Base64)
}

/// The metadata of all rows, or the first row that is refused.
pub(super) fn metadata(rows: &[Row]) -> Result<MetadataMap, (usize, InvalidRow)> {
    let mut metadata = MetadataMap::new();
    for (index, row) in rows.iter().enumerate() {
        row.add_to(&mut metadata).map_err(|reason| (index, reason))?;
    }
    Ok(metadata)
}

/// Checks a bearer token, without the word before it. An empty one is none.
pub(super) fn bearer(token: &str) -> Result<Option<MetadataValue<tonic::metadata::Ascii>>, InvalidRow> {
    let token = token.trim();
    let token = match token.get(..7) {
        Some(word) if word.eq_ignore_ascii_case("bearer ") => token[7..].trim(),
        _ => token,
    };
    if token.is_empty() {
        return Ok(None);
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InvalidRow::Value);
    }
    ["Bearer ", token].concat().parse().map(Some).map_err(|_| InvalidRow::Value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, value: &str) -> Row {
        Row { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn rows_become_metadata_in_their_order() {
        let rows = [row("X-Count ", " 3 "), row("", " "), row("x-count", "4"), row("trace-bin", "AP8Q")];
        let map = metadata(&rows).unwrap();
        let counts: Vec<_> = map.get_all("x-count").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(counts, ["3", "4"]);
        assert_eq!(map.get_bin("trace-bin").unwrap().to_bytes().unwrap().as_ref(), [0, 255, 16]);
        assert_eq!(map.len(), 3);
    }

    #[test]
    fn a_row_is_refused_with_the_reason() {
        for (key, value, reason) in [
            ("", "x", InvalidRow::NoKey),
            ("a b", "x", InvalidRow::Key),
            ("ключ", "x", InvalidRow::Key),
            ("a:b", "x", InvalidRow::Key),
            ("grpc-timeout", "1S", InvalidRow::OfTheProtocol),
            ("Content-Type", "x", InvalidRow::OfTheProtocol),
            ("cookie", "x", InvalidRow::OfTheBrowser),
            ("sec-fetch-mode", "x", InvalidRow::OfTheBrowser),
            ("a", "世界", InvalidRow::Value),
            ("a", "x\ny", InvalidRow::Value),
            ("a-bin", "!", InvalidRow::Base64),
            ("a-bin", "A", InvalidRow::Base64),
        ] {
            let refused = metadata(&[row("ok", "1"), row(key, value)]).map(drop);
            assert_eq!(refused, Err((1, reason)), "{key}");
        }
    }

    #[test]
    fn base64_has_any_padding_and_alphabet() {
        for text in ["-_8", "+/8=", " + / 8 = "] {
            assert_eq!(bytes(text), Ok(vec![0xfb, 0xff]), "{text}");
        }
    }

    #[test]
    fn a_token_gets_its_word_once() {
        let sent = |token: &str| bearer(token).unwrap().map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(sent("abc").as_deref(), Some("Bearer abc"));
        assert_eq!(sent(" bearer abc ").as_deref(), Some("Bearer abc"));
        assert_eq!(sent("  "), None);
        assert_eq!(bearer("a b"), Err(InvalidRow::Value));
        assert_eq!(bearer("密"), Err(InvalidRow::Value));
    }

    #[test]
    fn secrets_are_known_by_their_keys() {
        for key in ["Authorization", "x-api-key", "session-id", "x-auth-token"] {
            assert!(row(key, "x").is_secret(), "{key}");
        }
        assert!(!row("x-request-id", "x").is_secret());
    }
}
