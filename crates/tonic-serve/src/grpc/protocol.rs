//! The wire format of a call, and its headers in the one spelling that `tonic-web` accepts.
//!
//! `tonic-web` compares content types byte by byte, so parameters, upper case, text and a missing `accept` are handled here.

use grpc_wire::content_type::{ContentType, WireFormat};
use grpc_wire::metadata::{TooManyValues, split_joined_binary};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tonic::Status;
use tonic::body::Body;

/// Values of binary metadata that a request may have after joined values are split; more is refused with 431. A header of
/// commas would otherwise become thousands of values.
const MAX_BINARY_VALUES: usize = 256;

/// The content type of a request. Everything but [`ContentType::Other`] is a call.
pub(crate) fn content_type(headers: &HeaderMap) -> ContentType {
    headers.get(CONTENT_TYPE).map_or(ContentType::Other, |value| ContentType::parse(value.as_bytes()))
}

/// The HTTP response to a call that no gRPC status can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: &'static str,
}

impl Refusal {
    const NOT_POST: Self =
        Self { status: StatusCode::METHOD_NOT_ALLOWED, reason: "gRPC calls are POST requests\n" };
    const TOO_MANY_VALUES: Self = Self {
        status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        reason: "the request has too many values of binary metadata\n",
    };
    const NOT_HTTP2: Self = Self {
        status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        reason: "gRPC needs HTTP/2; over HTTP/1.1 this server speaks gRPC-Web\n",
    };
    const NOT_PROTOBUF: Self = Self {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        reason: "this server accepts only gRPC content types for Protocol Buffers\n",
    };
}

/// Brings the headers of a call into the spelling that `tonic-web` accepts, and returns the format of its body.
pub(crate) fn normalize<B>(request: &mut Request<B>) -> Result<WireFormat, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::NOT_POST);
    }
    split_joined_binary(request.headers_mut(), MAX_BINARY_VALUES)
        .map_err(|TooManyValues { .. }| Refusal::TOO_MANY_VALUES)?;
    let ContentType::Protobuf(format) = content_type(request.headers()) else {
        return Err(Refusal::NOT_PROTOBUF);
    };
    if format == WireFormat::Grpc {
        return if request.version() == Version::HTTP_2 { Ok(format) } else { Err(Refusal::NOT_HTTP2) };
    }
    let accept = response_format(format, request.headers()).content_type();
    let headers = request.headers_mut();
    // Text is decoded before `tonic-web` reads it.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(WireFormat::GrpcWeb.content_type()));
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    Ok(format)
}

/// The refusal of a call in its own protocol: a status without a body. `None` when the request is not a call, or its protocol
/// cannot carry a status.
pub(crate) fn refuse_call<B>(
    request: &Request<B>,
    status: impl FnOnce() -> Status,
) -> Option<Response<Body>> {
    let ContentType::Protobuf(format) = content_type(request.headers()) else { return None };
    if format == WireFormat::Grpc {
        return (request.version() == Version::HTTP_2).then(|| status().into_http());
    }
    let content_type = response_format(format, request.headers()).content_type();
    let mut response = status().into_http();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Some(response)
}

/// The format of the response to a gRPC-Web call: the first one in `accept`, or that of the request.
fn response_format(request: WireFormat, headers: &HeaderMap) -> WireFormat {
    let accepted = headers.get_all(ACCEPT).iter();
    let mut media_types = accepted.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let web_format = |media_type| match ContentType::parse(media_type) {
        ContentType::Protobuf(format @ (WireFormat::GrpcWeb | WireFormat::GrpcWebText)) => Some(format),
        _ => None,
    };
    media_types.find_map(web_format).unwrap_or(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINARY: &str = WireFormat::GrpcWeb.content_type();
    const TEXT: &str = WireFormat::GrpcWebText.content_type();

    fn normalized(content_type: &str, accept: Option<&str>) -> (String, String) {
        let mut request = Request::post("/").header(CONTENT_TYPE, content_type);
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let mut request = request.body(()).unwrap();
        normalize(&mut request).unwrap();
        let header = |name| request.headers()[name].to_str().unwrap().to_owned();
        (header(CONTENT_TYPE), header(ACCEPT))
    }

    #[test]
    fn every_grpc_content_type_is_a_call() {
        let parsed = |value: Option<&'static str>| {
            let value = value.map(|value| (CONTENT_TYPE, HeaderValue::from_static(value)));
            content_type(&value.into_iter().collect())
        };
        assert_eq!(parsed(Some("application/grpc+proto")), ContentType::Protobuf(WireFormat::Grpc));
        assert_eq!(parsed(Some("Application/gRPC-Web;x=y")), ContentType::Protobuf(WireFormat::GrpcWeb));
        assert_eq!(parsed(Some("application/grpc+json")), ContentType::OtherGrpc);
        assert_eq!(parsed(Some("application/json")), ContentType::Other);
        assert_eq!(parsed(None), ContentType::Other);
    }

    #[test]
    fn web_headers_are_normalized() {
        let binary = (BINARY.to_owned(), BINARY.to_owned());
        assert_eq!(normalized("APPLICATION/GRPC-WEB;charset=utf-8", None), binary);
        assert_eq!(normalized("application/grpc-web+proto", Some("*/*")), binary);
    }

    #[test]
    fn the_response_has_the_format_of_the_request_unless_accept_names_another() {
        assert_eq!(normalized("application/grpc-web-text", None).1, TEXT);
        assert_eq!(normalized("application/grpc-web-text", Some("*/*")).1, TEXT);
        assert_eq!(normalized("application/grpc-web-text", Some("application/grpc-web+proto")).1, BINARY);
        assert_eq!(normalized("application/grpc-web", Some("Application/grpc-web-text, */*")).1, TEXT);
    }

    #[test]
    fn joined_binary_values_are_split_up_to_a_limit() {
        let split = |value: &str| {
            let request = Request::post("/").header(CONTENT_TYPE, "application/grpc");
            let request = request.header("x-other", "a, b").header("x-data-bin", value);
            let mut request = request.version(Version::HTTP_2).body(()).unwrap();
            normalize(&mut request)?;
            assert_eq!(request.headers()["x-other"], "a, b");
            Ok::<_, Refusal>(request.headers().get_all("x-data-bin").iter().count())
        };
        assert_eq!(split("AAEC, AwQ="), Ok(2));
        assert_eq!(split(&",".repeat(MAX_BINARY_VALUES - 1)), Ok(MAX_BINARY_VALUES));
        assert_eq!(split(&",".repeat(MAX_BINARY_VALUES)), Err(Refusal::TOO_MANY_VALUES));
    }

    #[test]
    fn requests_that_cannot_be_calls_are_refused_by_http_status() {
        let refused = |method: Method, content_type: &str, version| {
            let request = Request::builder().method(method).header(CONTENT_TYPE, content_type);
            normalize(&mut request.version(version).body(()).unwrap()).unwrap_err()
        };
        let (http1, http2) = (Version::HTTP_11, Version::HTTP_2);
        assert_eq!(refused(Method::GET, "application/grpc-web", http2), Refusal::NOT_POST);
        assert_eq!(refused(Method::POST, "application/grpc+json", http2), Refusal::NOT_PROTOBUF);
        assert_eq!(refused(Method::POST, "application/grpc", http1), Refusal::NOT_HTTP2);
    }
}
