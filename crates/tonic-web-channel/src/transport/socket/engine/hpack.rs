//! Header blocks: writes those of requests, reads those of responses.
//!
//! No table changes in either direction. Requests are written as literals, and the server is told to keep no table
//! (HEADER_TABLE_SIZE is 0), so a block that is not read changes nothing.
//!
//! Specification: RFC 7541; RFC 9113, section 8.2 and 8.3.

mod huffman;
mod table;

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};

/// The largest number in a block; longer ones break it. Lengths of strings are far below.
const MAX_INTEGER: u32 = 1 << 28;

/// Bytes that are added to the size of each field, beside its name and value (RFC 9113, section 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// Marks a literal that no proxy may put into a table.
const NEVER_INDEXED: u8 = 0x10;

/// The fields of a response's head, or of its trailers, which have no status.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) status: Option<StatusCode>,
    pub(super) headers: HeaderMap,
}

/// The reason for which a block is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// It breaks HPACK, which ends the connection.
    Compression,
    /// It breaks a rule for responses, which ends the call.
    Malformed(&'static str),
    /// The fields are larger than the limit, which ends the call.
    TooLarge,
}

/// Reads a block of fields. `limit` is in bytes, with 32 for each field.
pub(super) fn decode(mut block: &[u8], limit: usize) -> Result<Fields, Rejection> {
    let mut fields = Fields::default();
    let mut left = limit;
    let mut has_fields = false;
    while let Some(&first) = block.first() {
        let (name, value) = match first {
            0x80.. => {
                let index = integer(&mut block, 7)?;
                let name = table::name(index).ok_or(Rejection::Compression)?;
                (Cow::Borrowed(name.as_bytes()), Cow::Borrowed(table::value(index).as_bytes()))
            }
            0x20..0x40 => {
                // The size of the table, which stays 0; only before all fields.
                if integer(&mut block, 5)? != 0 || has_fields {
                    return Err(Rejection::Compression);
                }
                continue;
            }
            _ => {
                let name = match integer(&mut block, if first >= 0x40 { 6 } else { 4 })? {
                    0 => string(&mut block)?,
                    index => table::name(index).ok_or(Rejection::Compression)?.as_bytes().into(),
                };
                (name, string(&mut block)?)
            }
        };
        has_fields = true;
        let size = name.len() + value.len() + FIELD_OVERHEAD;
        left = left.checked_sub(size).ok_or(Rejection::TooLarge)?;
        fields.add(&name, &value)?;
    }
    Ok(fields)
}

impl Fields {
    fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), Rejection> {
        if name == b":status" {
            let status =
                StatusCode::from_bytes(value).map_err(|_| Rejection::Malformed("its status is none"))?;
            if self.status.replace(status).is_some() || !self.headers.is_empty() {
                return Err(Rejection::Malformed("its status is not its first field"));
            }
            return Ok(());
        }
        // A colon, as in other fields of HTTP/2 itself, is in no name of a header.
        let name = HeaderName::from_lowercase(name)
            .map_err(|_| Rejection::Malformed("the name of a header is invalid in HTTP/2"))?;
        if is_of_connection(&name) {
            return Err(Rejection::Malformed("it has a header that HTTP/2 forbids"));
        }
        let value = HeaderValue::from_bytes(value)
            .map_err(|_| Rejection::Malformed("the value of a header is invalid"))?;
        self.headers.try_append(name, value).map_err(|_| Rejection::TooLarge)?;
        Ok(())
    }
}

/// Whether HTTP/2 forbids the header, because it is of one connection of HTTP/1.1.
fn is_of_connection(name: &HeaderName) -> bool {
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"].contains(&name.as_str())
}

/// Takes a number whose first byte has `prefix` bits of it.
fn integer(block: &mut &[u8], prefix: u32) -> Result<u32, Rejection> {
    let mask = (1 << prefix) - 1;
    let mut value = u32::from(byte(block)? & mask);
    if value < u32::from(mask) {
        return Ok(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = byte(block)?;
        value += u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return if value <= MAX_INTEGER { Ok(value) } else { Err(Rejection::Compression) };
        }
    }
    Err(Rejection::Compression)
}

fn byte(block: &mut &[u8]) -> Result<u8, Rejection> {
    block.split_off_first().copied().ok_or(Rejection::Compression)
}

/// Takes a string.
fn string<'a>(block: &mut &'a [u8]) -> Result<Cow<'a, [u8]>, Rejection> {
    let is_huffman = block.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(block, 7)? as usize;
    let bytes = block.split_off(..length).ok_or(Rejection::Compression)?;
    if is_huffman {
        return huffman::decode(bytes).map(Cow::Owned).ok_or(Rejection::Compression);
    }
    Ok(Cow::Borrowed(bytes))
}

/// The block of a request's head.
///
/// # Errors
///
/// The name of a header that HTTP/2 forbids.
pub(super) fn encode(head: &Parts) -> Result<Vec<u8>, HeaderName> {
    let mut block = Vec::with_capacity(256);
    if head.method == Method::POST {
        block.push(0x83);
    } else {
        put_field(&mut block, 0, ":method", head.method.as_str().as_bytes());
    }
    block.push(if head.uri.scheme_str() == Some("https") { 0x87 } else { 0x86 });
    let authority = head.uri.authority().map_or("", |authority| authority.as_str());
    put_field(&mut block, 0, ":authority", authority.as_bytes());
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    put_field(&mut block, 0, ":path", path.as_bytes());
    for (name, value) in &head.headers {
        if is_of_connection(name) {
            return Err(name.clone());
        }
        let kind = if value.is_sensitive() { NEVER_INDEXED } else { 0 };
        put_field(&mut block, kind, name.as_str(), value.as_bytes());
    }
    Ok(block)
}

/// Writes a literal that changes no table.
fn put_field(block: &mut Vec<u8>, kind: u8, name: &str, value: &[u8]) {
    match table::index_of(name) {
        Some(index) => put_integer(block, kind, 4, index as usize),
        None => {
            block.push(kind);
            put_string(block, name.as_bytes());
        }
    }
    put_string(block, value);
}

fn put_string(block: &mut Vec<u8>, string: &[u8]) {
    put_integer(block, 0, 7, string.len());
    block.extend_from_slice(string);
}

/// Writes `value` with its first `prefix` bits in a byte whose other bits are those of `first`.
fn put_integer(block: &mut Vec<u8>, first: u8, prefix: u32, value: usize) {
    let mask = (1 << prefix) - 1;
    if value < mask {
        block.push(first | value as u8);
        return;
    }
    block.push(first | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        block.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.push(rest as u8);
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 64 * 1024;

    fn text(fields: &Fields) -> Vec<(&str, &[u8])> {
        fields.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }

    #[test]
    fn blocks_of_the_specification_are_read() {
        // RFC 7541, appendix C.6.1: the table that it grows is not kept.
        let block = b"\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b\x61\x96\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\
            \x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff\x6e\x91\x9d\x29\xad\x17\x18\x63\xc7\x8f\x0b\x97\xc8\xe9\xae\x82\xae\
            \x43\xd3";
        let fields = decode(block, LIMIT).unwrap();
        assert_eq!(fields.status.unwrap(), 302);
        let expected: [(&str, &[u8]); 3] = [
            ("cache-control", b"private"),
            ("date", b"Mon, 21 Oct 2013 20:13:21 GMT"),
            ("location", b"https://www.example.com"),
        ];
        assert_eq!(text(&fields), expected);
    }

    #[test]
    fn integers_of_the_specification_are_read_and_written() {
        // RFC 7541, appendix C.1.
        for (prefix, value, bytes) in [(5, 10, &b"\x0a"[..]), (5, 1_337, b"\x1f\x9a\x0a"), (8, 42, b"\x2a")] {
            if prefix < 8 {
                assert_eq!(integer(&mut &bytes[..], prefix), Ok(value));
            }
            let mut written = Vec::new();
            put_integer(&mut written, 0, prefix, value as usize);
            assert_eq!(written, bytes);
        }
    }

    #[test]
    fn broken_blocks_are_refused() {
        let compression: [&[u8]; 10] = [
            b"\x80",                     // index 0
            b"\xbe",                     // an entry of a table that is empty
            b"\xff",                     // a number that ends
            b"\xff\xff\xff\xff\xff\x7f", // a number that is too long
            b"\xff\xff\xff\xff\x7f",     // a number that is too large
            b"\x21",                     // a table of one byte
            b"\x88\x20",                 // a size after a field
            b"\x40\x01",                 // a name that ends
            b"\x58\x81\x00",             // a string that breaks the code
            b"\x7f\x00",                 // a name in a table that is empty
        ];
        for block in compression {
            assert_eq!(decode(block, LIMIT).unwrap_err(), Rejection::Compression, "{block:?}");
        }
        let malformed: [&[u8]; 8] = [
            b"\x88\x88",         // two statuses
            b"\x58\x01a\x88",    // a status after a header
            b"\x08\x02\x32\x30", // a status of two digits
            b"\x82",             // a method
            b"\x00\x01A\x01a",   // an upper-case name
            b"\x00\x00\x01a",    // no name
            b"\x00\x01a\x01\n",  // a line break
            b"\x0f\x2a\x01a",    // transfer-encoding
        ];
        for block in malformed {
            let found = decode(block, LIMIT);
            assert!(matches!(found, Err(Rejection::Malformed(_))), "{block:?}: {found:?}");
        }
    }

    #[test]
    fn size_of_the_fields_is_limited() {
        // A field of 7 + 3 + 32 bytes, and one of 1 + 1 + 32.
        let block = b"\x20\x20\x88\x00\x01a\x01b";
        assert!(decode(block, 7 + 3 + 32 + 34).is_ok());
        assert_eq!(decode(block, 7 + 3 + 32 + 33).unwrap_err(), Rejection::TooLarge);
    }

    #[test]
    fn request_with_a_header_of_a_connection_is_refused() {
        let request = Request::post("http://a/b").header("upgrade", "h2c").body(()).unwrap();
        assert_eq!(encode(&request.into_parts().0).unwrap_err(), "upgrade");
    }

    #[test]
    fn sensitive_values_are_never_indexed() {
        let mut value = HeaderValue::from_static("secret");
        value.set_sensitive(true);
        let request = Request::post("http://a/b").header("authorization", value).body(()).unwrap();
        let block = encode(&request.into_parts().0).unwrap();
        assert!(block.ends_with(b"\x1f\x08\x06secret"), "{block:?}");
    }

    proptest! {
        #[test]
        fn any_block_is_read_or_refused(block in proptest::collection::vec(any::<u8>(), 0..80)) {
            decode(&block, LIMIT).ok();
        }

        #[test]
        fn written_fields_are_read(
            fields in proptest::collection::vec(("[a-z-]{1,20}", "[ -~]{0,300}", any::<bool>()), 0..20),
        ) {
            let mut block = Vec::new();
            for (name, value, is_sensitive) in &fields {
                put_field(&mut block, if *is_sensitive { NEVER_INDEXED } else { 0 }, name, value.as_bytes());
            }
            let mut expected = HeaderMap::new();
            for (name, value, _) in &fields {
                let name: HeaderName = name.parse().unwrap();
                prop_assume!(!is_of_connection(&name));
                expected.append(name, value.parse().unwrap());
            }
            prop_assert_eq!(decode(&block, LIMIT).unwrap().headers, expected);
        }
    }
}
