//! The block of trailers at the end of a body: lines of `name: value`.
//!
//! Format: "Key-value pairs encoded as a HTTP/1 headers block (without the terminating newline)" of `PROTOCOL-WEB.md`.
//! Servers differ in how they write it, so names may be in any case, the space after the colon and the end of the last
//! line may be missing, and a line feed alone ends a line.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::TRAILERS;
use crate::message;
use crate::metadata::split_joined_binary;

/// A fault in a block of trailers. It names the kind of fault and not the line, which may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrailersError {
    /// A line has no colon.
    #[error("a line of the trailers has no colon")]
    NoColon,
    /// A name or a value has characters that headers cannot have.
    #[error("a line of the trailers is no valid header")]
    InvalidHeader,
    /// There are more lines than a header map takes.
    #[error("there are too many trailers")]
    TooMany,
}

/// Reads a block. A repeated name keeps all its values in order, and joined values of `-bin` names are split.
pub fn parse(block: &[u8]) -> Result<HeaderMap, TrailersError> {
    let mut trailers = HeaderMap::new();
    for line in block.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // The part after the last line's end, and the line that ends headers in HTTP/1.
        if line.is_empty() {
            continue;
        }
        let (name, value) = parse_line(line)?;
        trailers.try_append(name, value).map_err(|_| TrailersError::TooMany)?;
    }
    split_joined_binary(&mut trailers, usize::MAX).map_err(|_| TrailersError::TooMany)?;
    Ok(trailers)
}

/// The frame that ends a body with `trailers`: prefix and block.
pub fn encode(trailers: &HeaderMap) -> Bytes {
    let mut block = Vec::new();
    for (name, value) in trailers {
        block.extend_from_slice(name.as_str().as_bytes());
        block.extend_from_slice(b": ");
        block.extend_from_slice(value.as_bytes());
        block.extend_from_slice(b"\r\n");
    }
    message::encode(TRAILERS, &block)
}

fn parse_line(line: &[u8]) -> Result<(HeaderName, HeaderValue), TrailersError> {
    let colon = line.iter().position(|&byte| byte == b':').ok_or(TrailersError::NoColon)?;
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| TrailersError::InvalidHeader)?;
    let value = line[colon + 1..].trim_ascii();
    let value = HeaderValue::from_bytes(value).map_err(|_| TrailersError::InvalidHeader)?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(trailers: &HeaderMap, name: &str) -> Vec<String> {
        trailers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_spelling_of_servers_is_read() {
        let blocks = [
            "grpc-status: 9\r\ngrpc-message: no\r\n",
            "grpc-status:9\r\ngrpc-message:no\r\n",
            "Grpc-Status: 9\r\ngRPC-MESSAGE: \t no \t\r\n",
            "grpc-status: 9\ngrpc-message: no\n",
            "grpc-status: 9\r\ngrpc-message: no",
            "grpc-status: 9\r\ngrpc-message: no\r\n\r\n",
        ];
        for block in blocks {
            let trailers = parse(block.as_bytes()).unwrap();
            assert_eq!(trailers.len(), 2, "{block:?}");
            assert_eq!(trailers["grpc-status"], "9", "{block:?}");
            assert_eq!(trailers["grpc-message"], "no", "{block:?}");
        }
        assert!(parse(b"").unwrap().is_empty());
    }

    #[test]
    fn values_may_be_empty_and_have_colons() {
        let trailers = parse(b"a:\r\nb: c: d\r\n").unwrap();
        assert_eq!(trailers["a"], "");
        assert_eq!(trailers["b"], "c: d");
    }

    #[test]
    fn repeated_names_keep_their_values_in_order() {
        let trailers = parse(b"x: one\r\ny: z\r\nX: two\r\n").unwrap();
        assert_eq!(all(&trailers, "x"), ["one", "two"]);
    }

    #[test]
    fn a_thousand_lines_are_read() {
        let block: String = (0..1_000).map(|n| format!("name-{n}: {n}\r\n")).collect();
        let trailers = parse(block.as_bytes()).unwrap();
        assert_eq!(trailers.len(), 1_000);
        assert_eq!(trailers["name-999"], "999");
    }

    #[test]
    fn more_lines_than_a_header_map_takes_are_an_error() {
        let block: String = (0..40_000).map(|n| format!("name-{n}:\n")).collect();
        assert_eq!(parse(block.as_bytes()), Err(TrailersError::TooMany));
    }

    #[test]
    fn invalid_lines_are_errors() {
        assert_eq!(parse(b"no colon"), Err(TrailersError::NoColon));
        let invalid =
            [": no name", "a b: c", " folded: line", "a: \0", "grpc-status: 0\r\n\u{1}: x", "\u{e4}: b"];
        for block in invalid {
            assert_eq!(parse(block.as_bytes()), Err(TrailersError::InvalidHeader), "{block:?}");
        }
    }

    #[test]
    fn joined_binary_values_are_split_and_others_are_not() {
        let trailers = parse(b"k-bin: AA==, AQ\r\nk-bin: Ag\r\nk: a, b\r\n").unwrap();
        assert_eq!(all(&trailers, "k-bin"), ["AA==", "AQ", "Ag"]);
        assert_eq!(all(&trailers, "k"), ["a, b"]);
    }

    #[test]
    fn trailers_survive_encoding_and_parsing() {
        let mut trailers = HeaderMap::new();
        trailers.append("grpc-status", HeaderValue::from_static("5"));
        trailers.append("x-a", HeaderValue::from_static("1"));
        trailers.append("x-a", HeaderValue::from_static("2"));
        let frame = encode(&trailers);
        let (prefix, block) = frame.split_first_chunk().unwrap();
        let prefix = message::Prefix::decode(*prefix);
        assert_eq!((prefix.flags, prefix.payload_len()), (TRAILERS, block.len()));
        assert_eq!(parse(block), Ok(trailers));
    }
}
