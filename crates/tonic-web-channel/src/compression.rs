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

/// A way to make messages smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Gzip (RFC 1952), by `flate2` on native targets and by the browser itself on wasm.
    Gzip,
}

/// Who undoes what a server has compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undoing {
    /// This channel, which has offered gzip.
    Here,
    /// The client above, which has made its own offer, or nobody.
    Above,
}

/// Offers gzip, when the client above makes no offer of its own and `offer` says so.
pub(crate) fn offer(headers: &mut HeaderMap, offer: bool) -> Undoing {
    if !offer || headers.contains_key(GRPC_ACCEPT_ENCODING) {
        return Undoing::Above;
    }
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("gzip,identity"));
    Undoing::Here
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
    undoing: Undoing,
    asked: &[u8],
) -> Result<Encoding, Error> {
    let Some(encoding) = headers.get(GRPC_ENCODING) else { return Ok(Encoding::Identity) };
    let name = encoding.as_bytes();
    if name == b"identity" {
        return Ok(Encoding::Identity);
    }
    match undoing {
        Undoing::Here if name == b"gzip" => {
            headers.remove(GRPC_ENCODING);
            Ok(Encoding::Gzip)
        }
        Undoing::Above if asked.split(|byte| *byte == b',').any(|offered| offered.trim_ascii() == name) => {
            Ok(Encoding::Foreign)
        }
        _ => Err(Error::Protocol {
            reason: format!("its encoding `{}` was not asked for", error::text_of(name)),
        }),
    }
}

/// What the client above has offered by itself.
pub(crate) fn asked(headers: &HeaderMap) -> Vec<u8> {
    headers.get(GRPC_ACCEPT_ENCODING).map(|value| value.as_bytes().to_vec()).unwrap_or_default()
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
        assert_eq!(offer(&mut own, true), Undoing::Above);
        assert_eq!(own[GRPC_ACCEPT_ENCODING], "zstd,identity");

        let mut none = HeaderMap::new();
        assert_eq!(offer(&mut none, true), Undoing::Here);
        assert_eq!(none[GRPC_ACCEPT_ENCODING], "gzip,identity");

        let mut unwanted = HeaderMap::new();
        assert_eq!(offer(&mut unwanted, false), Undoing::Above);
        assert!(unwanted.is_empty());
    }

    #[test]
    fn an_encoding_that_nobody_asked_for_is_an_error() {
        let answer = |encoding, undoing, asked: &str| {
            of_response(&mut headers(&[(GRPC_ENCODING, encoding)]), undoing, asked.as_bytes())
        };

        assert_eq!(answer("gzip", Undoing::Here, "gzip,identity"), Ok(Encoding::Gzip));
        assert_eq!(answer("identity", Undoing::Here, "gzip,identity"), Ok(Encoding::Identity));
        assert_eq!(answer("zstd", Undoing::Above, "gzip, zstd"), Ok(Encoding::Foreign));
        for (encoding, undoing, asked) in [
            ("br", Undoing::Here, "gzip,identity"),
            ("gzip", Undoing::Above, ""),
            ("br", Undoing::Above, "gzip"),
        ] {
            let error = answer(encoding, undoing, asked).unwrap_err();
            assert!(matches!(error, Error::Protocol { .. }), "{encoding}: {error}");
        }
        assert_eq!(of_response(&mut HeaderMap::new(), Undoing::Here, b""), Ok(Encoding::Identity));
    }
}
