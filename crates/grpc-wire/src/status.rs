//! The status at the end of a call: `grpc-status`, `grpc-message`, and the codes themselves.
//!
//! Specification: "Status" and "Status-Message" of `PROTOCOL-HTTP2.md`, "HTTP to gRPC Status Code Mapping". Codes are
//! numbers here, because every library has a type of its own for them.

use http::HeaderName;

/// The header of the code, a decimal number.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The header of the message, percent-encoded UTF-8.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// The header of the details, a serialised `google.rpc.Status` in base64.
pub const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// The names of the codes, in the order of their numbers.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of `code` as the specification writes it, such as `DEADLINE_EXCEEDED`. `UNKNOWN` for numbers without a name.
pub fn code_name(code: i32) -> &'static str {
    usize::try_from(code).ok().and_then(|code| NAMES.get(code)).unwrap_or(&NAMES[2])
}

/// The code for an answer that has an HTTP status and no gRPC status.
pub fn code_of_http(status: u16) -> i32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// Reads the value of `grpc-message`.
///
/// "Receivers must not error on invalid values": a percent sign without two hexadecimal digits stays as it is, and bytes
/// that are no UTF-8 become U+FFFD.
pub fn decode_message(value: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        match after {
            [high, low, after @ ..]
                if *first == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes.push(hex_digit(*high) << 4 | hex_digit(*low));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The number of an ASCII hexadecimal digit.
fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        // Lower and upper case differ in this bit.
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_statuses_have_the_codes_of_the_specification() {
        let cases = [
            (400, "INTERNAL"),
            (401, "UNAUTHENTICATED"),
            (403, "PERMISSION_DENIED"),
            (404, "UNIMPLEMENTED"),
            (429, "UNAVAILABLE"),
            (502, "UNAVAILABLE"),
            (503, "UNAVAILABLE"),
            (504, "UNAVAILABLE"),
            (200, "UNKNOWN"),
            (500, "UNKNOWN"),
            (418, "UNKNOWN"),
        ];
        for (status, name) in cases {
            assert_eq!(code_name(code_of_http(status)), name, "{status}");
        }
    }

    #[test]
    fn numbers_without_a_name_are_unknown() {
        assert_eq!(code_name(0), "OK");
        assert_eq!(code_name(16), "UNAUTHENTICATED");
        for code in [-1, 17, i32::MAX, i32::MIN] {
            assert_eq!(code_name(code), "UNKNOWN", "{code}");
        }
    }

    #[test]
    fn messages_are_decoded_and_never_refused() {
        let cases = [
            ("no such room", "no such room"),
            ("caf%C3%A9", "café"),
            ("caf%c3%a9", "café"),
            ("caf%E9", "caf\u{fffd}"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("a%25b", "a%b"),
            ("", ""),
        ];
        for (value, message) in cases {
            assert_eq!(decode_message(value.as_bytes()), message, "{value}");
        }
        assert_eq!(decode_message(b"\xe9"), "\u{fffd}");
    }
}
