//! The head of a response: the protocol of its sender, and the format of its body.
//!
//! Specifications: "Content-Type" of `PROTOCOL-WEB.md`, "Responses" of `PROTOCOL-HTTP2.md`, and for answers of other
//! servers "HTTP to gRPC Status Code Mapping".

use grpc_wire::content_type::{ContentType, WireFormat};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode, response};

use crate::compression::GRPC_ENCODING;
use crate::error::{self, Error};
use crate::status::{self, GRPC_STATUS};
use crate::web::GrpcWeb;

/// Facts about the head that the body depends on.
pub(super) struct Head {
    pub(super) http_status: StatusCode,
    pub(super) format: WireFormat,
    /// The status among the headers, empty without one. With it the body may be empty ("Trailers-Only"), and so may the
    /// trailers: proxies add an empty frame of trailers to such a response.
    pub(super) status: HeaderMap,
}

/// The encoding of compressed trailers, which only gRPC-Web has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrailersEncoding {
    /// Gzip, or not named: the server's CORS settings may hide it.
    GzipOrHidden,
    Identity,
    Unknown,
}

/// Reads the head. Fails when no gRPC server has answered: [`Error::Http`], [`Error::ContentType`].
pub(super) fn read(parts: &response::Parts) -> Result<Head, Error> {
    let has_status = parts.headers.contains_key(GRPC_STATUS);
    let content_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_web = parts.extensions.get::<GrpcWeb>().is_some();
    let Some(format) = format(content_type, has_status, is_web) else {
        return Err(if parts.status.is_success() {
            Error::ContentType { found: error::text_of(content_type.unwrap_or_default()) }
        } else {
            Error::Http { status: parts.status.as_u16() }
        });
    };
    let mut status = HeaderMap::new();
    if has_status {
        status::copy(&parts.headers, &mut status);
    }
    Ok(Head { http_status: parts.status, format, status })
}

pub(super) fn trailers_encoding(headers: &HeaderMap) -> TrailersEncoding {
    match headers.get(GRPC_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"gzip") => TrailersEncoding::GzipOrHidden,
        Some(b"identity") => TrailersEncoding::Identity,
        Some(_) => TrailersEncoding::Unknown,
    }
}

/// The format of a body. `None` when a gRPC server has not answered.
fn format(content_type: Option<&[u8]>, has_status: bool, is_web: bool) -> Option<WireFormat> {
    let own = if is_web { WireFormat::GrpcWeb } else { WireFormat::Grpc };
    // Proxies and native gRPC servers refuse calls with a status in the headers before they know the protocol.
    let Some(content_type) = content_type else { return has_status.then_some(own) };
    match ContentType::parse(content_type) {
        ContentType::Protobuf(format) if (format == WireFormat::Grpc) != is_web => Some(format),
        ContentType::Protobuf(WireFormat::Grpc) if has_status => Some(own),
        // Over HTTP/2 the codec is the business of the client above.
        ContentType::OtherGrpc if !is_web && is_grpc_with_codec(content_type) => Some(own),
        _ if has_status && !is_web => Some(own),
        _ => None,
    }
}

fn is_grpc_with_codec(content_type: &[u8]) -> bool {
    content_type.get(b"application/grpc".len()) == Some(&b'+')
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn format(
        is_web: bool,
        status: u16,
        headers: &[(&'static str, &'static str)],
    ) -> Result<WireFormat, Error> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        if is_web {
            response = response.extension(GrpcWeb);
        }
        read(&response.body(()).unwrap().into_parts().0).map(|head| head.format)
    }

    #[test]
    fn each_protocol_accepts_its_content_types() {
        let known = [
            (true, "application/grpc-web", WireFormat::GrpcWeb),
            (true, "application/grpc-web+proto", WireFormat::GrpcWeb),
            (true, "application/grpc-web+proto; charset=utf-8", WireFormat::GrpcWeb),
            (true, "Application/GRPC-Web;x=y", WireFormat::GrpcWeb),
            (true, "application/grpc-web-text", WireFormat::GrpcWebText),
            (true, "application/grpc-web-text+proto ;x", WireFormat::GrpcWebText),
            (false, "application/grpc", WireFormat::Grpc),
            (false, "Application/grpc;x=y", WireFormat::Grpc),
            (false, "application/grpc+proto", WireFormat::Grpc),
            (false, "application/grpc+json", WireFormat::Grpc),
        ];
        for (is_web, content_type, expected) in known {
            let headers = [("content-type", content_type)];
            assert_eq!(format(is_web, 200, &headers), Ok(expected), "{content_type}");
            assert_eq!(format(is_web, 503, &headers), Ok(expected), "{content_type}");
        }
    }

    #[test]
    fn other_content_types_of_successes_are_named() {
        let web = ["text/html", "application/grpc", "application/grpc-web+json", "application/grpc-webx", ""];
        let native = ["text/html", "application/grpc-web", "application/grpcx", ""];
        for (is_web, found) in
            web.map(|found| (true, found)).into_iter().chain(native.map(|found| (false, found)))
        {
            let expected = Error::ContentType { found: found.into() };
            assert_eq!(format(is_web, 200, &[("content-type", found)]), Err(expected));
        }
        for is_web in [true, false] {
            assert_eq!(format(is_web, 200, &[]), Err(Error::ContentType { found: String::new() }));
        }
    }

    #[test]
    fn answers_of_other_servers_are_named_by_their_http_status() {
        for status in [301, 400, 404, 418, 502, 800] {
            for is_web in [true, false] {
                let html = [("content-type", "text/html")];
                assert_eq!(format(is_web, status, &html), Err(Error::Http { status }));
                assert_eq!(format(is_web, status, &[]), Err(Error::Http { status }));
            }
        }
    }

    #[test]
    fn a_status_in_the_headers_counts_with_every_content_type_of_grpc() {
        for content_type in ["application/grpc", "application/grpc+proto", "application/grpc-web"] {
            let headers = [("content-type", content_type), ("grpc-status", "12")];
            assert_eq!(format(true, 200, &headers), Ok(WireFormat::GrpcWeb), "{content_type}");
            assert_eq!(format(true, 503, &headers), Ok(WireFormat::GrpcWeb), "{content_type}");
        }
        assert_eq!(format(true, 200, &[("grpc-status", "12")]), Ok(WireFormat::GrpcWeb));
        assert_eq!(format(false, 200, &[("grpc-status", "12")]), Ok(WireFormat::Grpc));
        let page = [("content-type", "text/html"), ("grpc-status", "12")];
        assert_eq!(format(true, 200, &page), Err(Error::ContentType { found: "text/html".into() }));
        assert_eq!(format(false, 200, &page), Ok(WireFormat::Grpc));
    }
}
