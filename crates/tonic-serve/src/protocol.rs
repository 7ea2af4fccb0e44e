//! Which protocol a request speaks, and its headers in the one spelling that the layers below know.
//!
//! `tonic-web` compares content types byte by byte; parameters, upper case, text and a missing `accept`
//! are settled here.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use tonic::Status;
use tonic::body::Body;

const GRPC: &str = "application/grpc";
const WEB: &str = "application/grpc-web";
const WEB_PROTO: &str = "application/grpc-web+proto";
const WEB_TEXT: &str = "application/grpc-web-text";
const WEB_TEXT_PROTO: &str = "application/grpc-web-text+proto";

/// How the names of headers end whose values are bytes in base64.
const BINARY_SUFFIX: &str = "-bin";

/// How many values the binary headers of a request may have once they are split; more is refused with 431.
/// A header of commas alone would otherwise become thousands of values.
const MAX_BINARY_VALUES: usize = 256;

/// What a request speaks, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// gRPC-Web with binary frames.
    Web,
    /// gRPC-Web in base64.
    WebText,
    /// Some gRPC, with a codec that is not Protobuf.
    Unsupported,
}

impl Protocol {
    /// `None`: no gRPC at all.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.as_bytes();
        if !value.get(..GRPC.len())?.eq_ignore_ascii_case(GRPC.as_bytes()) {
            return None;
        }
        Some(Self::of_media_type(value))
    }

    fn of_media_type(value: &[u8]) -> Self {
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is = |name: &str| media_type.eq_ignore_ascii_case(name.as_bytes());
        if is(GRPC) || is("application/grpc+proto") {
            Self::Grpc
        } else if is(WEB) || is(WEB_PROTO) {
            Self::Web
        } else if is(WEB_TEXT) || is(WEB_TEXT_PROTO) {
            Self::WebText
        } else {
            Self::Unsupported
        }
    }
}

/// Why a request is no call, whatever its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: &'static str,
}

/// Brings the headers of a request that speaks `protocol` into the spelling that `tonic-web` knows.
pub(crate) fn normalise<B>(protocol: Protocol, request: &mut Request<B>) -> Result<(), Refusal> {
    if request.method() != Method::POST {
        let reason = "gRPC calls are POST requests\n";
        return Err(Refusal { status: StatusCode::METHOD_NOT_ALLOWED, reason });
    }
    split_binary(request.headers_mut())?;
    let text = match protocol {
        Protocol::Grpc if request.version() == Version::HTTP_2 => return Ok(()),
        Protocol::Grpc => {
            let reason = "gRPC needs HTTP/2; over HTTP/1.1 this server speaks gRPC-Web\n";
            return Err(Refusal { status: StatusCode::HTTP_VERSION_NOT_SUPPORTED, reason });
        }
        Protocol::Unsupported => {
            let reason = "of the gRPC content types this server knows those for Protobuf\n";
            return Err(Refusal { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, reason });
        }
        Protocol::Web => false,
        Protocol::WebText => true,
    };
    let accept = answer_type(text, request.headers());
    let headers = request.headers_mut();
    // Text is decoded before `tonic-web` sees it.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(WEB_PROTO));
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    Ok(())
}

/// A call's refusal in its own protocol: a status, and no body. `None` where there is no protocol that could
/// carry it.
pub(crate) fn refuse_call<B>(
    protocol: Option<Protocol>,
    request: &Request<B>,
    status: impl FnOnce() -> Status,
) -> Option<Response<Body>> {
    let content_type = match protocol? {
        Protocol::Grpc if request.version() == Version::HTTP_2 => GRPC,
        Protocol::Web => answer_type(false, request.headers()),
        Protocol::WebText => answer_type(true, request.headers()),
        Protocol::Grpc | Protocol::Unsupported => return None,
    };
    let mut response = status().into_http();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Some(response)
}

/// The content type of the answer to a gRPC-Web call: text when that is asked for, or when the call is in `text`
/// and nothing is said.
fn answer_type(text: bool, headers: &HeaderMap) -> &'static str {
    match accepted(headers) {
        Some(Protocol::WebText) => WEB_TEXT_PROTO,
        None if text => WEB_TEXT_PROTO,
        _ => WEB_PROTO,
    }
}

/// Splits the values of binary headers at their commas, as the gRPC protocol asks for: a browser's `fetch`
/// sends several values of one name as one, joined by `, `.
fn split_binary(headers: &mut HeaderMap) -> Result<(), Refusal> {
    let is_joined = |name: &&HeaderName| {
        name.as_str().ends_with(BINARY_SUFFIX)
            && headers.get_all(*name).iter().any(|value| value.as_bytes().contains(&b','))
    };
    let names: Vec<HeaderName> = headers.keys().filter(is_joined).cloned().collect();
    let mut values = 0;
    for name in names {
        let joined: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
        headers.remove(&name);
        for part in joined.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
            values += 1;
            // A part of a value is a value: no byte of it is new.
            let Some(value) =
                HeaderValue::from_bytes(part.trim_ascii()).ok().filter(|_| values <= MAX_BINARY_VALUES)
            else {
                let reason = "too many values of binary headers\n";
                return Err(Refusal { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason });
            };
            headers.append(&name, value);
        }
    }
    Ok(())
}

/// The first gRPC-Web form that `accept` names.
fn accepted(headers: &HeaderMap) -> Option<Protocol> {
    headers
        .get_all(ACCEPT)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|media_type| Protocol::of_media_type(media_type.trim_ascii()))
        .find(|protocol| matches!(protocol, Protocol::Web | Protocol::WebText))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(content_type: &str) -> Option<Protocol> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        Protocol::of(&headers)
    }

    fn normalised(content_type: &str, accept: Option<&str>) -> (String, String) {
        let mut request = Request::post("/").header(CONTENT_TYPE, content_type);
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let mut request = request.body(()).unwrap();
        let protocol = Protocol::of(request.headers()).unwrap();
        normalise(protocol, &mut request).unwrap();
        let header = |name| request.headers()[name].to_str().unwrap().to_owned();
        (header(CONTENT_TYPE), header(ACCEPT))
    }

    #[test]
    fn content_types_are_told_apart_whatever_their_case_and_parameters() {
        assert_eq!(of("application/grpc"), Some(Protocol::Grpc));
        assert_eq!(of("application/grpc+proto"), Some(Protocol::Grpc));
        assert_eq!(of("Application/gRPC-Web+Proto; charset=utf-8"), Some(Protocol::Web));
        assert_eq!(of("application/grpc-web-text;x=y"), Some(Protocol::WebText));
        assert_eq!(of("application/grpc+json"), Some(Protocol::Unsupported));
        assert_eq!(of("application/grpcfoo"), Some(Protocol::Unsupported));
        assert_eq!(of("application/json"), None);
        assert_eq!(of("app"), None);
        assert_eq!(Protocol::of(&HeaderMap::new()), None);
    }

    #[test]
    fn web_headers_get_the_spelling_that_is_known_below() {
        let binary = (WEB_PROTO.to_owned(), WEB_PROTO.to_owned());
        assert_eq!(normalised("APPLICATION/GRPC-WEB;charset=utf-8", None), binary);
        assert_eq!(normalised("application/grpc-web+proto", Some("*/*")), binary);
    }

    #[test]
    fn a_call_in_text_is_answered_in_text_unless_it_asks_for_binary() {
        let text = WEB_TEXT_PROTO;
        assert_eq!(normalised("application/grpc-web-text", None).1, text);
        assert_eq!(normalised("application/grpc-web-text", Some("*/*")).1, text);
        assert_eq!(normalised("application/grpc-web-text", Some("application/grpc-web+proto")).1, WEB_PROTO);
        assert_eq!(normalised("application/grpc-web", Some("Application/grpc-web-text, */*")).1, text);
    }

    fn split(values: &[&str]) -> Result<Vec<String>, StatusCode> {
        let mut request = Request::post("/").header("x-other", "a, b");
        for value in values {
            request = request.header("x-data-bin", *value);
        }
        let mut request = request.version(Version::HTTP_2).body(()).unwrap();
        normalise(Protocol::Grpc, &mut request).map_err(|refusal| refusal.status)?;
        assert_eq!(request.headers()["x-other"], "a, b");
        let values = request.headers().get_all("x-data-bin").iter();
        Ok(values.map(|value| value.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn joined_values_of_binary_headers_are_split_and_keep_their_order() {
        assert_eq!(split(&["AAEC, AwQ="]).unwrap(), ["AAEC", "AwQ="]);
        assert_eq!(split(&["AA", "AQ,Ag ,\tAw", "BA=="]).unwrap(), ["AA", "AQ", "Ag", "Aw", "BA=="]);
        // An empty value is one.
        assert_eq!(split(&["AA, "]).unwrap(), ["AA", ""]);
        assert_eq!(split(&["AA"]).unwrap(), ["AA"]);
        let commas = ",".repeat(40_000);
        assert_eq!(split(&[&commas]), Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }

    #[test]
    fn what_cannot_be_a_call_is_refused_with_its_own_http_status() {
        let refused = |method: Method, protocol, version| {
            let mut request = Request::builder().method(method).version(version).body(()).unwrap();
            normalise(protocol, &mut request).unwrap_err().status
        };
        let h2 = Version::HTTP_2;
        assert_eq!(refused(Method::GET, Protocol::Web, h2), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused(Method::POST, Protocol::Unsupported, h2), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let h1 = Version::HTTP_11;
        assert_eq!(refused(Method::POST, Protocol::Grpc, h1), StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    }
}
