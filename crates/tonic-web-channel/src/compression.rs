//! Compression of messages: what is offered, what is undone, and a request's messages compressed.
//!
//! Format: the gRPC protocol over HTTP/2, "Message-Encoding" and "Message-Accept-Encoding".

mod incoming;
mod outgoing;

use http::{HeaderMap, HeaderValue};

use crate::error::{self, Error};

pub(crate) use self::incoming::Inflater;
pub(crate) use self::outgoing::Deflating;

const GRPC_ENCODING: &str = "grpc-encoding";
const GRPC_ACCEPT_ENCODING: &str = "grpc-accept-encoding";

/// A compression of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionEncoding {
    /// Gzip (RFC 1952), by `flate2` on native targets and by the browser itself on wasm.
    Gzip,
}

/// Which side decompresses responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Decompressor {
    /// The channel, which has offered gzip.
    Channel,
    /// The client around the channel, if it has offered an encoding.
    #[default]
    Caller,
}

/// Offers gzip, unless the client around the channel offers an encoding.
pub(crate) fn offer(headers: &mut HeaderMap) -> Decompressor {
    if headers.contains_key(GRPC_ACCEPT_ENCODING) {
        return Decompressor::Caller;
    }
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("gzip,identity"));
    Decompressor::Channel
}

/// Says that the request's messages are compressed. Not when the client above compresses itself.
pub(crate) fn announce(headers: &mut HeaderMap) -> bool {
    if headers.contains_key(GRPC_ENCODING) {
        return false;
    }
    headers.insert(GRPC_ENCODING, HeaderValue::from_static("gzip"));
    true
}

/// What a response's messages need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Nothing, for none may be compressed.
    Identity,
    /// To be undone here.
    Gzip,
    /// To be passed on as they are.
    Foreign,
}

/// Reads the encoding off a response's `headers`, and takes it out when it is undone here.
pub(crate) fn of_response(
    headers: &mut HeaderMap,
    decompressor: Decompressor,
    asked: &[u8],
) -> Result<Encoding, Error> {
    let Some(encoding) = headers.get(GRPC_ENCODING) else { return Ok(Encoding::Identity) };
    let name = encoding.as_bytes();
    if name == b"identity" {
        return Ok(Encoding::Identity);
    }
    match decompressor {
        Decompressor::Channel if name == b"gzip" => {
            headers.remove(GRPC_ENCODING);
            Ok(Encoding::Gzip)
        }
        Decompressor::Caller
            if asked.split(|byte| *byte == b',').any(|offered| offered.trim_ascii() == name) =>
        {
            Ok(Encoding::Foreign)
        }
        _ => Err(Error::Protocol {
            reason: format!("its encoding `{}` was not asked for", error::text_of(name)),
        }),
    }
}

/// The encodings that the client around the channel has offered, where it decompresses.
pub(crate) fn offered_by_caller(headers: &HeaderMap, decompressor: Decompressor) -> Vec<u8> {
    match headers.get(GRPC_ACCEPT_ENCODING) {
        Some(offered) if decompressor == Decompressor::Caller => offered.as_bytes().to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_client_s_own_offer_is_left_alone() {
        let mut own = headers(&[(GRPC_ACCEPT_ENCODING, "zstd,identity")]);
        assert_eq!(offer(&mut own), Decompressor::Caller);
        assert_eq!(own[GRPC_ACCEPT_ENCODING], "zstd,identity");

        let mut none = HeaderMap::new();
        assert_eq!(offer(&mut none), Decompressor::Channel);
        assert_eq!(none[GRPC_ACCEPT_ENCODING], "gzip,identity");
    }

    #[test]
    fn an_encoding_that_nobody_asked_for_is_an_error() {
        let answer = |encoding, decompressor, asked: &str| {
            of_response(&mut headers(&[(GRPC_ENCODING, encoding)]), decompressor, asked.as_bytes())
        };

        assert_eq!(answer("gzip", Decompressor::Channel, "gzip,identity"), Ok(Encoding::Gzip));
        assert_eq!(answer("identity", Decompressor::Channel, "gzip,identity"), Ok(Encoding::Identity));
        assert_eq!(answer("zstd", Decompressor::Caller, "gzip, zstd"), Ok(Encoding::Foreign));
        for (encoding, decompressor, asked) in [
            ("br", Decompressor::Channel, "gzip,identity"),
            ("gzip", Decompressor::Caller, ""),
            ("br", Decompressor::Caller, "gzip"),
        ] {
            let error = answer(encoding, decompressor, asked).unwrap_err();
            assert!(matches!(error, Error::Protocol { .. }), "{encoding}: {error}");
        }
        assert_eq!(of_response(&mut HeaderMap::new(), Decompressor::Channel, b""), Ok(Encoding::Identity));
    }
}
