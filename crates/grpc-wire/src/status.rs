//! The status at the end of a call: `grpc-status`, `grpc-message`, and the codes themselves.
//!
//! Specification: "Status" and "Status-Message" of `PROTOCOL-HTTP2.md`, "HTTP to gRPC Status Code Mapping". Codes are
//! numbers here, because every library has a type of its own for them.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

/// The header of the code, a decimal number.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The header of the message, percent-encoded UTF-8.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// The header of the details, a serialised `google.rpc.Status` in base64.
pub const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// "Percent-Byte-Unencoded" is every printable ASCII character but the percent sign.
const NOT_IN_MESSAGES: &AsciiSet = &CONTROLS.add(b'%');

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

/// The code for a call whose HTTP/2 stream was reset with this error code.
///
/// Specification: "Errors" of `PROTOCOL-HTTP2.md`; numbers: RFC 9113, section 7. `REFUSED_STREAM` (7) means that the server
/// did not process the call.
pub fn code_of_reset(error: u32) -> i32 {
    match error {
        // NO_ERROR to COMPRESSION_ERROR, STREAM_CLOSED aside, and CONNECT_ERROR.
        0..=4 | 6 | 9 | 10 => 13,
        // REFUSED_STREAM.
        7 => 14,
        // CANCEL.
        8 => 1,
        // ENHANCE_YOUR_CALM.
        11 => 8,
        // INADEQUATE_SECURITY.
        12 => 7,
        _ => 2,
    }
}

/// Reads the value of `grpc-message`.
///
/// "Receivers must not error on invalid values": a percent sign without two hexadecimal digits stays as it is, and bytes
/// that are not UTF-8 become U+FFFD.
pub fn decode_message(value: &[u8]) -> Cow<'_, str> {
    percent_decode(value).decode_utf8_lossy()
}

/// Writes a value of `grpc-message`.
pub fn encode_message(message: &str) -> String {
    utf8_percent_encode(message, NOT_IN_MESSAGES).to_string()
}

/// Makes a `grpc-message` that is not UTF-8 valid: the invalid bytes become U+FFFD.
///
/// Libraries replace the code of a status whose message they cannot decode; the code matters more than the message.
pub fn repair_message(headers: &mut HeaderMap) {
    let Some(value) = headers.get_mut(GRPC_MESSAGE) else { return };
    let decoded = percent_decode(value.as_bytes());
    if decoded.clone().decode_utf8().is_err()
        && let Ok(repaired) = HeaderValue::from_str(&encode_message(&decoded.decode_utf8_lossy()))
    {
        *value = repaired;
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
    fn resets_have_the_codes_of_the_specification() {
        let cases = [
            ("NO_ERROR", 0x0, "INTERNAL"),
            ("PROTOCOL_ERROR", 0x1, "INTERNAL"),
            ("INTERNAL_ERROR", 0x2, "INTERNAL"),
            ("FLOW_CONTROL_ERROR", 0x3, "INTERNAL"),
            ("SETTINGS_TIMEOUT", 0x4, "INTERNAL"),
            ("STREAM_CLOSED", 0x5, "UNKNOWN"),
            ("FRAME_SIZE_ERROR", 0x6, "INTERNAL"),
            ("REFUSED_STREAM", 0x7, "UNAVAILABLE"),
            ("CANCEL", 0x8, "CANCELLED"),
            ("COMPRESSION_ERROR", 0x9, "INTERNAL"),
            ("CONNECT_ERROR", 0xa, "INTERNAL"),
            ("ENHANCE_YOUR_CALM", 0xb, "RESOURCE_EXHAUSTED"),
            ("INADEQUATE_SECURITY", 0xc, "PERMISSION_DENIED"),
            ("HTTP_1_1_REQUIRED", 0xd, "UNKNOWN"),
        ];
        for (error, number, name) in cases {
            assert_eq!(code_name(code_of_reset(number)), name, "{error}");
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

    #[test]
    fn messages_survive_encoding_and_decoding() {
        for (message, value) in [
            ("no such room", "no such room"),
            ("caf\u{e9} ~", "caf%C3%A9 ~"),
            ("100%", "100%25"),
            ("a\r\n\t\u{7f}b", "a%0D%0A%09%7Fb"),
            ("", ""),
        ] {
            assert_eq!(encode_message(message), value);
            assert_eq!(decode_message(value.as_bytes()), message);
        }
    }

    #[test]
    fn only_messages_that_are_not_utf_8_are_repaired() {
        for (value, repaired) in [
            (&b"caf%E9 100%"[..], &b"caf%EF%BF%BD 100%25"[..]),
            (b"caf\xe9", b"caf%EF%BF%BD"),
            (b"caf%C3%A9 100%", b"caf%C3%A9 100%"),
            (b"caf\xc3\xa9", b"caf\xc3\xa9"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_MESSAGE, HeaderValue::from_bytes(value).unwrap());
            repair_message(&mut headers);
            assert_eq!(headers[GRPC_MESSAGE].as_bytes(), repaired);
        }
        let mut none = HeaderMap::new();
        repair_message(&mut none);
        assert!(none.is_empty());
    }
}
