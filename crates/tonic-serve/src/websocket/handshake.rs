//! The opening handshake (RFC 6455, section 4.2), for one subprotocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use sha1::{Digest as _, Sha1};
use tonic::body::Body;

use crate::response::plain_text;

/// The version of the protocol in RFC 6455.
const VERSION: HeaderValue = HeaderValue::from_static("13");

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// It is joined to the client's key (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes of a key.
const KEY_LEN: usize = 16;

/// Whether a request opens a WebSocket.
pub(crate) fn is_websocket(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

/// Whether a request offers `protocol` for its WebSocket.
pub(crate) fn offers(headers: &HeaderMap, protocol: &str) -> bool {
    tokens(headers, &SEC_WEBSOCKET_PROTOCOL).any(|found| found == protocol.as_bytes())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let values = headers.get_all(name).iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// A valid handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    accept: HeaderValue,
}

/// A violation of the handshake's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("a WebSocket is opened by GET over HTTP/1.1 with `connection: upgrade`")]
    Request,
    #[error("a WebSocket needs one sec-websocket-key of 16 bytes in base64")]
    Key,
    #[error("a WebSocket needs one sec-websocket-version")]
    NoVersion,
    #[error("this server speaks version 13 of the WebSocket protocol")]
    Version,
}

impl Handshake {
    /// The handshake of a request that [opens a WebSocket](is_websocket).
    pub(crate) fn parse<B>(request: &Request<B>) -> Result<Self, HandshakeError> {
        let headers = request.headers();
        let is_upgrade = request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && has_token(headers, &CONNECTION, "upgrade");
        if !is_upgrade {
            return Err(HandshakeError::Request);
        }
        match single(headers, &SEC_WEBSOCKET_VERSION) {
            Some(version) if version == VERSION => {}
            Some(_) => return Err(HandshakeError::Version),
            None => return Err(HandshakeError::NoVersion),
        }
        let key = single(headers, &SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Key)?.as_bytes();
        if STANDARD.decode(key).map_or(true, |key| key.len() != KEY_LEN) {
            return Err(HandshakeError::Key);
        }
        Ok(Self { accept: accept(key).ok_or(HandshakeError::Key)? })
    }

    /// The response that switches to `protocol`.
    pub(crate) fn response(self, protocol: &'static str) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, WEBSOCKET);
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        response
    }
}

impl HandshakeError {
    /// 426 for another version (RFC 6455, section 4.4), and 400.
    pub(crate) fn response(self) -> Response<Body> {
        if self != Self::Version {
            return plain_text(StatusCode::BAD_REQUEST, format!("{self}\n"));
        }
        let mut response = plain_text(StatusCode::UPGRADE_REQUIRED, format!("{self}\n"));
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, WEBSOCKET);
        headers.insert(SEC_WEBSOCKET_VERSION, VERSION);
        response
    }
}

/// The value of a field that must come once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() { None } else { value }
}

fn accept(key: &[u8]) -> Option<HeaderValue> {
    let hash = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    HeaderValue::try_from(STANDARD.encode(hash)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handshake in which the field `name` has `values`.
    fn parse(name: &str, values: &[&str]) -> Result<Handshake, HandshakeError> {
        let mut request = Request::get("/").version(Version::HTTP_11);
        for (field, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ] {
            if field != name {
                request = request.header(field, value);
            }
        }
        for value in values {
            request = request.header(name, *value);
        }
        Handshake::parse(&request.body(()).unwrap())
    }

    #[test]
    fn the_key_of_the_specification_gets_its_answer() {
        let response = parse("x", &[]).unwrap().response("h2ts");
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()["sec-websocket-protocol"], "h2ts");
    }

    #[test]
    fn violations_are_refused() {
        for (name, values, error) in [
            ("connection", &["keep-alive"][..], HandshakeError::Request),
            ("sec-websocket-version", &["8"], HandshakeError::Version),
            ("sec-websocket-version", &[], HandshakeError::NoVersion),
            ("sec-websocket-version", &["13", "13"], HandshakeError::NoVersion),
            ("sec-websocket-key", &[], HandshakeError::Key),
            ("sec-websocket-key", &["dGhl"], HandshakeError::Key),
            ("sec-websocket-key", &["the sample nonce"], HandshakeError::Key),
        ] {
            assert_eq!(parse(name, values), Err(error), "{name} {values:?}");
        }
        assert_eq!(HandshakeError::Version.response().status(), 426);
        assert_eq!(HandshakeError::Key.response().status(), 400);
    }

    #[test]
    fn tokens_are_found_in_lists() {
        let headers: HeaderMap =
            [(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("other, h2ts"))].into_iter().collect();
        assert!(offers(&headers, "h2ts"));
        assert!(!offers(&headers, "h2"));
    }
}
