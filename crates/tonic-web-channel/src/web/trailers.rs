//! The block of trailers: lines of `name: value`.
//!
//! Format: "Key-value pairs encoded as a HTTP/1 headers block (without the terminating newline)", in
//! `PROTOCOL-WEB.md`. Servers write it in more ways than one, so names may be in any case, the space after the
//! colon and the last line's end may be missing, and a lone line feed ends a line as well.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::Error;

/// Reads `block`. A repeated name keeps all its values, in their order.
pub(super) fn parse(block: &[u8]) -> Result<HeaderMap, Error> {
    let mut trailers = HeaderMap::new();
    for line in block.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // The one after the last line's end, and the one that ends headers in HTTP/1.
        if line.is_empty() {
            continue;
        }
        let (name, value) = pair(line).ok_or_else(|| malformed(line))?;
        trailers
            .try_append(name, value)
            .map_err(|_| Error::Protocol { reason: "too many trailers".into() })?;
    }
    split_binary(&mut trailers);
    Ok(trailers)
}

/// Gives each value of a name that ends in `-bin` an entry of its own, where they were joined by commas.
///
/// HTTP allows anybody on the way to join them, browsers do, and base64 has no comma. "Implementations must split
/// Binary-Headers on ','", says `PROTOCOL-HTTP2.md`.
pub(super) fn split_binary(headers: &mut HeaderMap) {
    if !headers.iter().any(|(name, value)| is_joined(name, value)) {
        return;
    }
    let mut split = HeaderMap::new();
    for (name, value) in &*headers {
        let joined = is_joined(name, value);
        for part in value.as_bytes().split(|&byte| joined && byte == b',') {
            // A part of a valid value is valid.
            let Ok(part) = HeaderValue::from_bytes(part.trim_ascii()) else { continue };
            // Where so many do not fit, the rest is left out.
            if split.try_append(name.clone(), part).is_err() {
                break;
            }
        }
    }
    *headers = split;
}

fn is_joined(name: &HeaderName, value: &HeaderValue) -> bool {
    name.as_str().ends_with("-bin") && value.as_bytes().contains(&b',')
}

fn pair(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
    Some((name, value))
}

/// Says what kind of line it is and not what it holds, which may be a secret.
fn malformed(line: &[u8]) -> Error {
    let fault = if line.contains(&b':') { "is no valid header" } else { "has no colon" };
    Error::Protocol { reason: format!("a line of the trailers {fault}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(trailers: &HeaderMap, name: &str) -> Vec<String> {
        trailers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn lines_are_read_in_every_way_that_servers_write_them() {
        let ways = [
            "grpc-status: 9\r\ngrpc-message: no\r\n",
            "grpc-status:9\r\ngrpc-message:no\r\n",
            "Grpc-Status: 9\r\ngRPC-MESSAGE: \t no \t\r\n",
            "grpc-status: 9\ngrpc-message: no\n",
            "grpc-status: 9\r\ngrpc-message: no",
            "grpc-status: 9\r\ngrpc-message: no\r\n\r\n",
        ];
        for block in ways {
            let trailers = parse(block.as_bytes()).unwrap();
            assert_eq!(trailers.len(), 2, "{block:?}");
            assert_eq!(trailers["grpc-status"], "9", "{block:?}");
            assert_eq!(trailers["grpc-message"], "no", "{block:?}");
        }
        assert!(parse(b"").unwrap().is_empty());
    }

    #[test]
    fn a_value_may_be_empty_and_may_have_colons() {
        let trailers = parse(b"a:\r\nb: c: d\r\n").unwrap();
        assert_eq!(trailers["a"], "");
        assert_eq!(trailers["b"], "c: d");
    }

    #[test]
    fn repeated_names_keep_all_values_in_their_order() {
        let trailers = parse(b"x: one\r\ny: z\r\nX: two\r\n").unwrap();
        assert_eq!(all(&trailers, "x"), ["one", "two"]);
    }

    #[test]
    fn more_lines_than_any_table_has_places_are_read() {
        let block: String = (0..1_000).map(|n| format!("name-{n}: {n}\r\n")).collect();
        let trailers = parse(block.as_bytes()).unwrap();
        assert_eq!(trailers.len(), 1_000);
        assert_eq!(trailers["name-999"], "999");
    }

    #[test]
    fn so_many_lines_that_they_cannot_be_kept_are_an_error() {
        let block: String = (0..40_000).map(|n| format!("name-{n}:\n")).collect();
        assert!(matches!(parse(block.as_bytes()), Err(Error::Protocol { .. })));
    }

    #[test]
    fn bad_lines_are_errors() {
        let bad = [
            "no colon",
            ": no name",
            "a b: c",
            " folded: line",
            "a: \0",
            "grpc-status: 0\r\n\u{1}: x",
            "ä: b",
        ];
        for block in bad {
            assert!(matches!(parse(block.as_bytes()), Err(Error::Protocol { .. })), "{block:?}");
        }
    }

    #[test]
    fn joined_binary_values_are_split_and_others_are_left_alone() {
        let trailers = parse(b"k-bin: AA==, AQ\r\nk-bin: Ag\r\nk: a, b\r\n").unwrap();
        assert_eq!(all(&trailers, "k-bin"), ["AA==", "AQ", "Ag"]);
        assert_eq!(all(&trailers, "k"), ["a, b"]);
    }
}
