//! The response's head: whether a gRPC-Web server has answered at all, and in which form.
//!
//! Specification: "Content-Type" of `PROTOCOL-WEB.md`, "Responses" of `PROTOCOL-HTTP2.md`, and for anything else
//! than gRPC "HTTP to gRPC Status Code Mapping".

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::trailers::split_binary;
use crate::error::{self, Error};

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is.
    #[default]
    Binary,
    /// As base64, for what lets no binary bodies through.
    Text,
}

/// What has to be known of the head to read the body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) form: Form,
    pub(super) status: StatusCode,
    /// Whether the status is among the headers. Then the body may be empty ("Trailers-Only").
    pub(super) trailers_only: bool,
    /// What a compressed frame of trailers is compressed by.
    pub(super) encoding: Encoding,
}

/// `grpc-encoding` as far as trailers are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Gzip, or it is not said: the server's CORS settings may hide it.
    GzipOrHidden,
    Identity,
    Unknown,
}

/// Reads the head, and splits the binary values that `fetch` joined.
pub(super) fn read(status: StatusCode, headers: &mut HeaderMap) -> Result<Head, Error> {
    let trailers_only = headers.contains_key("grpc-status");
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let form = match content_type {
        // A status in the headers is the server's own word: native gRPC servers and proxies answer so when they
        // refuse a call before anybody looked for its protocol.
        None if trailers_only => Form::Binary,
        Some(found) if trailers_only && is_native(found) => Form::Binary,
        found => match found.and_then(form_of) {
            Some(form) => form,
            None if status == StatusCode::OK => {
                return Err(Error::ContentType { found: error::text_of(found.unwrap_or_default()) });
            }
            None => return Err(Error::Http { status: status.as_u16() }),
        },
    };
    let encoding = match headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
        None | Some(b"gzip") => Encoding::GzipOrHidden,
        Some(b"identity") => Encoding::Identity,
        Some(_) => Encoding::Unknown,
    };
    split_binary(headers);
    Ok(Head { form, status, trailers_only, encoding })
}

/// The form that a content type names, when its messages are Protocol Buffers: without a format, or `+proto`.
fn form_of(content_type: &[u8]) -> Option<Form> {
    let known = [
        ("application/grpc-web", Form::Binary),
        ("application/grpc-web+proto", Form::Binary),
        ("application/grpc-web-text", Form::Text),
        ("application/grpc-web-text+proto", Form::Text),
        ("application/grpc-web-text-base64", Form::Text),
    ];
    known.into_iter().find(|(name, _)| is(content_type, name)).map(|(_, form)| form)
}

fn is_native(content_type: &[u8]) -> bool {
    is(content_type, "application/grpc") || is(content_type, "application/grpc+proto")
}

/// Whether a content type without its parameters is `name`.
fn is(content_type: &[u8], name: &str) -> bool {
    let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(status: u16, headers: &[(&'static str, &'static str)]) -> Result<Form, Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        read(StatusCode::from_u16(status).unwrap(), &mut map).map(|head| head.form)
    }

    #[test]
    fn content_types_are_known_with_parameters_and_in_any_case() {
        let known = [
            ("application/grpc-web", Form::Binary),
            ("application/grpc-web+proto", Form::Binary),
            ("application/grpc-web+proto; charset=utf-8", Form::Binary),
            ("Application/GRPC-Web;x=y", Form::Binary),
            ("application/grpc-web-text", Form::Text),
            ("application/grpc-web-text+proto ;x", Form::Text),
        ];
        for (content_type, expected) in known {
            assert_eq!(form(200, &[("content-type", content_type)]), Ok(expected), "{content_type}");
        }
    }

    #[test]
    fn other_content_types_are_named_when_http_says_all_is_well() {
        for found in
            ["text/html", "application/grpc", "application/grpc-web+json", "application/grpc-webx", ""]
        {
            let expected = Error::ContentType { found: found.into() };
            assert_eq!(form(200, &[("content-type", found)]), Err(expected));
        }
        assert_eq!(form(200, &[]), Err(Error::ContentType { found: String::new() }));
    }

    #[test]
    fn what_is_no_grpc_has_its_http_status_as_the_reason() {
        for status in [301, 400, 404, 418, 502, 800] {
            assert_eq!(form(status, &[("content-type", "text/html")]), Err(Error::Http { status }));
            assert_eq!(form(status, &[]), Err(Error::Http { status }));
        }
    }

    #[test]
    fn a_status_among_the_headers_counts_in_every_spelling_of_grpc() {
        for content_type in ["application/grpc", "application/grpc+proto", "application/grpc-web"] {
            let headers = [("content-type", content_type), ("grpc-status", "12")];
            assert_eq!(form(200, &headers), Ok(Form::Binary), "{content_type}");
            assert_eq!(form(503, &headers), Ok(Form::Binary), "{content_type}");
        }
        assert_eq!(form(200, &[("grpc-status", "12")]), Ok(Form::Binary));
        let page = [("content-type", "text/html"), ("grpc-status", "12")];
        assert_eq!(form(200, &page), Err(Error::ContentType { found: "text/html".into() }));
    }

    #[test]
    fn binary_metadata_that_was_joined_is_split() {
        let mut headers = HeaderMap::new();
        headers.append("content-type", HeaderValue::from_static("application/grpc-web"));
        headers.append("key-bin", HeaderValue::from_static("AA==, AQ=="));
        read(StatusCode::OK, &mut headers).unwrap();
        let values: Vec<_> = headers.get_all("key-bin").iter().collect();
        assert_eq!(values, ["AA==", "AQ=="]);
    }
}
