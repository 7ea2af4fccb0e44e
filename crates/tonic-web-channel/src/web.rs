//! The request of gRPC-Web: headers of gRPC over HTTP/2 become its headers, and the body becomes one piece. A response is
//! only marked here; [`validate`](crate::validate) reads it.
//!
//! Nothing here knows JavaScript or a network, so that every transport that speaks gRPC-Web shares it.
//!
//! Specification: `PROTOCOL-WEB.md`, which describes the differences to `PROTOCOL-HTTP2.md`.

use bytes::{Bytes, BytesMut};
use grpc_wire::content_type::WireFormat;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use tonic::Status;
use tonic::body::Body;

use crate::error::Error;

const X_GRPC_WEB: HeaderName = HeaderName::from_static("x-grpc-web");
const X_USER_AGENT: HeaderName = HeaderName::from_static("x-user-agent");

/// The name and version of this library.
pub(crate) const OUR_USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));

/// Headers of HTTP/2, and headers that a browser sets.
const REMOVED: [HeaderName; 4] = [TE, USER_AGENT, HOST, CONTENT_LENGTH];

/// Marks a response whose body is gRPC-Web as it came, by an extension of the response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GrpcWeb;

/// Turns the headers that `tonic` wrote into those of gRPC-Web in `format`.
///
/// `accept` and `x-user-agent` stay when the call's metadata has them.
pub(crate) fn prepare(headers: &mut HeaderMap, format: WireFormat) {
    for name in REMOVED {
        headers.remove(name);
    }
    let content_type = HeaderValue::from_static(format.content_type());
    headers.insert(CONTENT_TYPE, content_type.clone());
    headers.insert(X_GRPC_WEB, HeaderValue::from_static("1"));
    for (name, value) in [(ACCEPT, content_type), (X_USER_AGENT, OUR_USER_AGENT)] {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
}

/// The longest request of more than one frame, in bytes: 64 MiB. All of it is in memory until it is sent, and a stream
/// may have no end.
const MAX_COLLECTED: usize = 64 << 20;

/// Collects the body of a request.
///
/// gRPC-Web has no request stream that stays open while responses arrive: "Pending on whatwg fetch/streams", says the
/// specification, and HTTP/1.1 cannot do it. A stream is read to its end before anything is sent, so an endless stream
/// is never sent; the call's deadline and cancellation still apply. A body of one frame, as unary calls have, is not
/// copied, and has no limit: its caller has it in memory anyway.
///
/// Fails with the status that the stream fails with, and with [`Error::RequestTooLarge`] when more than one frame
/// exceeds [`MAX_COLLECTED`].
pub(crate) async fn collect(mut body: Body) -> Result<Bytes, Status> {
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Requests have no trailers.
        let data = frame?.into_data().unwrap_or_default();
        if first.is_empty() {
            first = data;
        } else if !data.is_empty() {
            if whole.is_empty() {
                whole.extend_from_slice(&first);
            }
            if whole.len() + data.len() > MAX_COLLECTED {
                return Err(Error::RequestTooLarge { limit: MAX_COLLECTED }.into());
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    fn body(parts: Vec<Result<&'static str, Status>>) -> Body {
        let frames = parts.into_iter().map(|part| part.map(|bytes| Frame::data(Bytes::from(bytes))));
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    fn collected(parts: Vec<Result<&'static str, Status>>) -> Result<Bytes, Status> {
        collect(body(parts)).now_or_never().unwrap()
    }

    #[test]
    fn headers_of_http_2_become_headers_of_grpc_web() {
        let mut headers = HeaderMap::new();
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("user-agent", HeaderValue::from_static("tonic/0.14"));
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.append("x-mine", HeaderValue::from_static("one"));
        headers.append("x-mine", HeaderValue::from_static("two"));

        prepare(&mut headers, WireFormat::GrpcWeb);

        assert!(!headers.contains_key("te") && !headers.contains_key("user-agent"));
        assert_eq!(headers["content-type"], "application/grpc-web+proto");
        assert_eq!(headers["accept"], "application/grpc-web+proto");
        assert_eq!(headers["x-grpc-web"], "1");
        assert!(headers["x-user-agent"].to_str().unwrap().starts_with("tonic-web-channel/"));
        assert_eq!(headers.get_all("x-mine").iter().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_caller_may_accept_the_text_format() {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("application/grpc-web-text"));
        prepare(&mut headers, WireFormat::GrpcWeb);
        assert_eq!(headers["accept"], "application/grpc-web-text");
        assert_eq!(headers["content-type"], "application/grpc-web+proto");

        let mut headers = HeaderMap::new();
        prepare(&mut headers, WireFormat::GrpcWebText);
        assert_eq!(headers["accept"], "application/grpc-web-text+proto");
        assert_eq!(headers["content-type"], "application/grpc-web-text+proto");
    }

    #[test]
    fn frames_of_a_body_are_joined() {
        assert_eq!(collected(vec![]).unwrap(), "");
        assert_eq!(collected(vec![Ok("one")]).unwrap(), "one");
        assert_eq!(collected(vec![Ok("one"), Ok(""), Ok("two"), Ok("3")]).unwrap(), "onetwo3");
    }

    #[test]
    fn a_body_of_one_frame_is_not_copied() {
        let bytes = Bytes::from(vec![1, 2, 3]);
        let frame = Ok::<_, Status>(Frame::data(bytes.clone()));
        let body = Body::new(StreamBody::new(stream::iter([frame])));
        let whole = collect(body).now_or_never().unwrap().unwrap();
        assert_eq!(whole.as_ptr(), bytes.as_ptr());
    }

    #[test]
    fn a_request_stream_is_collected_up_to_the_limit() {
        let piece = Bytes::from(vec![0; 1 << 20]);
        let collected = |pieces| {
            let piece = piece.clone();
            let frames = std::iter::repeat_with(move || Ok::<_, Status>(Frame::data(piece.clone())));
            collect(Body::new(StreamBody::new(stream::iter(frames.take(pieces))))).now_or_never().unwrap()
        };
        assert_eq!(collected(64).unwrap().len(), MAX_COLLECTED);
        let status = collected(65).unwrap_err();
        assert_eq!(Error::from_status(&status), Some(&Error::RequestTooLarge { limit: MAX_COLLECTED }));
    }

    #[test]
    fn the_status_of_a_failed_request_stream_is_returned() {
        let failed = collected(vec![Ok("one"), Err(Status::aborted("changed my mind"))]);
        assert_eq!(failed.unwrap_err().code(), tonic::Code::Aborted);
    }
}
