//! Percent-encoding of one segment of a path.

/// The segment with every byte escaped that is no letter, digit or one of `-._~`.
pub(super) fn encode(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(digit(byte >> 4));
            encoded.push(digit(byte & 15));
        }
    }
    encoded
}

/// The segment with its escapes undone; none when an escape is cut short or the bytes are no UTF-8.
pub(crate) fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => value(rest.next()?)? << 4 | value(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(value: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(value)])
}

fn value(digit: u8) -> Option<u8> {
    // A hexadecimal digit is at most 15.
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cases_of_hexadecimal_digits_are_read() {
        assert_eq!(decode("%e6%88%BF").as_deref(), Some("房"));
    }

    #[test]
    fn a_cut_or_wrong_escape_is_refused() {
        for segment in ["%", "%4", "%zz", "a%", "%E6%88"] {
            assert_eq!(decode(segment), None, "{segment}");
        }
    }

    #[test]
    fn reserved_characters_are_escaped() {
        assert_eq!(encode("a/b?c#d e"), "a%2Fb%3Fc%23d%20e");
        assert_eq!(encode("A-z0.9_~"), "A-z0.9_~");
    }
}
