//! Negotiation of message compression, and the compression of requests.
//!
//! Specification: "Message-Encoding" and "Message-Accept-Encoding" of `PROTOCOL-HTTP2.md`.

mod outgoing;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{self, Error};

pub(crate) use self::outgoing::CompressBody;

pub(crate) const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// A compression of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionEncoding {
    /// Gzip (RFC 1952): by `flate2` on native targets, by the browser on wasm.
    Gzip,
}

/// The side that decompresses the messages of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decompressor {
    /// This channel, which accepts gzip.
    Channel,
    /// The client above, which accepts these encodings; empty for none. The value of `grpc-accept-encoding`.
    Caller(Vec<u8>),
}

/// Accepts gzip. `false`, and nothing changes, when the client above accepts encodings itself.
pub(crate) fn accept(headers: &mut HeaderMap) -> bool {
    if headers.contains_key(GRPC_ACCEPT_ENCODING) {
        return false;
    }
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("gzip,identity"));
    true
}

/// The decompressor of the response to a request with `headers`.
pub(crate) fn decompressor(headers: &HeaderMap, channel_accepts: bool) -> Decompressor {
    if channel_accepts {
        return Decompressor::Channel;
    }
    Decompressor::Caller(headers.get(GRPC_ACCEPT_ENCODING).map_or(&[][..], HeaderValue::as_bytes).to_vec())
}

/// Announces that the messages of a request are gzip. `false`, and nothing changes, when the client above compresses.
pub(crate) fn announce(headers: &mut HeaderMap) -> bool {
    if headers.contains_key(GRPC_ENCODING) {
        return false;
    }
    headers.insert(GRPC_ENCODING, HeaderValue::from_static("gzip"));
    true
}

/// The encoding of a response's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// No message may be compressed.
    Identity,
    /// The channel decompresses messages.
    Gzip,
    /// The client above decompresses messages.
    Caller,
}

/// Reads the encoding in the headers of a response. Removes it from them when the channel decompresses.
///
/// Fails when the encoding was not accepted.
pub(crate) fn of_response(headers: &mut HeaderMap, decompressor: &Decompressor) -> Result<Encoding, Error> {
    let Some(encoding) = headers.get(GRPC_ENCODING) else { return Ok(Encoding::Identity) };
    let name = encoding.as_bytes();
    match decompressor {
        _ if name == b"identity" => Ok(Encoding::Identity),
        Decompressor::Channel if name == b"gzip" => {
            headers.remove(GRPC_ENCODING);
            Ok(Encoding::Gzip)
        }
        Decompressor::Caller(accepted)
            if accepted.split(|byte| *byte == b',').any(|accepted| accepted.trim_ascii() == name) =>
        {
            Ok(Encoding::Caller)
        }
        _ => Err(Error::Protocol {
            reason: format!("its encoding `{}` was not accepted", error::text_of(name)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn encodings_that_a_client_accepts_are_kept() {
        let mut own = headers(GRPC_ACCEPT_ENCODING, "zstd,identity");
        assert!(!accept(&mut own));
        assert_eq!(own[GRPC_ACCEPT_ENCODING], "zstd,identity");
        assert_eq!(decompressor(&own, false), Decompressor::Caller(b"zstd,identity".to_vec()));

        let mut none = HeaderMap::new();
        assert!(accept(&mut none));
        assert_eq!(none[GRPC_ACCEPT_ENCODING], "gzip,identity");
        assert_eq!(decompressor(&none, true), Decompressor::Channel);
        assert_eq!(decompressor(&HeaderMap::new(), false), Decompressor::Caller(Vec::new()));
    }

    #[test]
    fn an_encoding_that_was_not_accepted_is_an_error() {
        let channel = || Decompressor::Channel;
        let caller = |accepted: &str| Decompressor::Caller(accepted.into());
        let read = |encoding, decompressor| of_response(&mut headers(GRPC_ENCODING, encoding), &decompressor);

        assert_eq!(read("gzip", channel()), Ok(Encoding::Gzip));
        assert_eq!(read("identity", channel()), Ok(Encoding::Identity));
        assert_eq!(read("zstd", caller("gzip, zstd")), Ok(Encoding::Caller));
        for (encoding, decompressor) in [("br", channel()), ("gzip", caller("")), ("br", caller("gzip"))] {
            let error = read(encoding, decompressor).unwrap_err();
            assert!(matches!(error, Error::Protocol { .. }), "{encoding}: {error}");
        }
        assert_eq!(of_response(&mut HeaderMap::new(), &Decompressor::Channel), Ok(Encoding::Identity));
    }
}
