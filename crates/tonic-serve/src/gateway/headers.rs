//! The headers of a request that goes on: those of the connection stay behind, and the client's address is added.

use grpc_wire::content_type::{ContentType, WireFormat};
use grpc_wire::status::code_of_http;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, response};
use tonic::{Code, Status};

use crate::client_address::ClientAddress;
use crate::grpc::content_type;

/// The client's address; a value that the client sent is replaced.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The host name that the client used.
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Headers about one connection, or about one encoding of a body (RFC 9110, section 7.6.1).
const OF_THE_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Makes the head of a request that came here the head of one that this program sends.
pub(super) fn forward(head: &mut Parts) {
    let named: Vec<HeaderName> = head
        .headers
        .get_all(CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(',').filter_map(|name| name.trim().parse().ok()))
        .collect();
    let host = head.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    let host = host.or_else(|| head.headers.get(HOST).cloned());
    for name in OF_THE_CONNECTION.iter().chain(&named) {
        head.headers.remove(name);
    }
    // gRPC asks for it, so that proxies that drop trailers are found.
    head.headers.insert(TE, HeaderValue::from_static("trailers"));
    replace(&mut head.headers, X_FORWARDED_HOST, host);
    let address = head.extensions.get().map(|ClientAddress(address)| address.to_canonical().to_string());
    replace(&mut head.headers, X_FORWARDED_FOR, address.and_then(|text| text.parse().ok()));
    head.version = Version::HTTP_2;
}

fn replace(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => headers.insert(name, value),
        None => headers.remove(name),
    };
}

/// Refuses the head of a response that is not gRPC, such as a proxy's page.
pub(super) fn check(head: &response::Parts) -> Result<(), Status> {
    let kind = content_type(&head.headers);
    let is_grpc = matches!(kind, ContentType::Protobuf(WireFormat::Grpc) | ContentType::OtherGrpc);
    if is_grpc && head.status == StatusCode::OK {
        return Ok(());
    }
    let status = head.status.as_u16();
    let code = Code::from_i32(code_of_http(status));
    Err(Status::new(code, format!("the upstream responded with HTTP status {status} instead of gRPC")))
}
