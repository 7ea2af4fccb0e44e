//! `ServerReflectionRequest` and `ServerReflectionResponse`, as far as they are needed. Both versions have the same bytes.

use bytes::Bytes;

use super::ReflectionError;
use crate::wire::{Slice, WireField, WireValue};
use crate::wire_writer::push_bytes;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The names of all services.
    Services,
    /// The file with a symbol.
    Symbol(String),
    /// The file of a name.
    File(String),
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Request::Services => push_bytes(7, b"*", &mut bytes),
            Request::Symbol(name) => push_bytes(4, name.as_bytes(), &mut bytes),
            Request::File(name) => push_bytes(3, name.as_bytes(), &mut bytes),
        }
        bytes
    }

    /// The symbol or the file that is asked for.
    pub(super) fn name(&self) -> &str {
        match self {
            Request::Services => "the list of services",
            Request::Symbol(name) | Request::File(name) => name,
        }
    }

    pub(super) fn invalid_response(&self) -> ReflectionError {
        ReflectionError::InvalidResponse { request: self.name().to_owned() }
    }
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// Full names of services.
    Services(Vec<String>),
    /// Serialised files.
    Files(Vec<Bytes>),
    /// The server's words.
    Error(String),
}

impl Response {
    /// Reads a response; none if it is no response.
    pub(super) fn decode(message: &Bytes) -> Option<Response> {
        let mut response = None;
        for (number, content) in submessages(message)? {
            match number {
                4 => {
                    let files = submessages(&content)?.into_iter().filter(|(number, _)| *number == 1);
                    response = Some(Response::Files(files.map(|(_, file)| file).collect()));
                }
                6 => {
                    let services = submessages(&content)?.into_iter().filter(|(number, _)| *number == 1);
                    let names: Option<Vec<String>> = services.map(|(_, service)| name(&service)).collect();
                    response = Some(Response::Services(names?));
                }
                7 => {
                    let message = submessages(&content)?.into_iter().rfind(|(number, _)| *number == 2);
                    let message = message.map(|(_, text)| String::from_utf8_lossy(&text).into_owned());
                    response = Some(Response::Error(message.unwrap_or_default()));
                }
                _ => {}
            }
        }
        response
    }
}

/// The name of a `ServiceResponse`.
fn name(service: &Bytes) -> Option<String> {
    let (_, name) = submessages(service)?.into_iter().rfind(|(number, _)| *number == 1)?;
    String::from_utf8(name.into()).ok()
}

/// The fields of strings, bytes and messages; none if the bytes are no message.
fn submessages(bytes: &Bytes) -> Option<Vec<(u32, Bytes)>> {
    let mut input = Slice { bytes, offset: 0 };
    let mut found = Vec::new();
    while !input.bytes.is_empty() {
        let field = WireField::read(&mut input).ok().filter(|field| !field.is_truncated)?;
        if let WireValue::Bytes(slice) = field.value {
            found.push((field.number, bytes.slice_ref(slice.bytes)));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_a_list_files_or_an_error() {
        let decode = |bytes: &[u8]| Response::decode(&Bytes::copy_from_slice(bytes));
        assert_eq!(decode(b"\x32\x05\x0a\x03\x0a\x01S"), Some(Response::Services(vec!["S".to_owned()])));
        assert_eq!(decode(b"\x22\x03\x0a\x01f"), Some(Response::Files(vec![Bytes::from_static(b"f")])));
        assert_eq!(decode(b"\x3a\x05\x08\x05\x12\x01e"), Some(Response::Error("e".to_owned())));
        assert_eq!(decode(b"\x0a\x01x"), None);
        assert_eq!(decode(b"\x22\x09\x0a"), None);
        assert_eq!(decode(b""), None);
    }
}
