//! gRPC-Web over `fetch` by `tonic-web-wasm-client`.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::select;
use grpc_wire::content_type::WireFormat;
use grpc_wire::reader::BodyEnd;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, Uri};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tonic::Status;
use tonic::body::Body;
use tonic_web_wasm_client::Client;
use tower_service::Service as _;

use super::Transport;
use crate::error::Error;
use crate::maybe_send::BoxFuture;

/// Carries calls by [`tonic_web_wasm_client`].
///
/// Selected by the cargo feature `tonic-web-wasm-client`; it is the default then. [`Fetch`](crate::Fetch) keeps more
/// of what the specification promises. Some of the crate's gaps are closed here: the origin that was sent twice, empty
/// bodies, complete responses that were aborted. Responses are not compressed, because it cannot read compressed
/// trailers. Not closed: repeated metadata comes as its last value only, trailers that are cut lose the status, the
/// HTTP status of what is no gRPC is not known.
#[derive(Debug)]
pub struct WasmClient {
    inner: Client,
    base: String,
}

impl WasmClient {
    /// Calls go to `uri`: scheme, authority, and perhaps a path that is put before the path of every call.
    pub fn new(uri: Uri) -> Self {
        // The client appends the call's path to this text.
        let base = uri.to_string().trim_end_matches('/').to_owned();
        Self { inner: Client::new(base.clone()), base }
    }
}

impl Transport for WasmClient {
    fn call(&self, mut request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        let mut inner = self.inner.clone();
        // It appends the whole URI, and would repeat the origin that generated clients put there.
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(path);
        }
        // A server that may compress messages compresses trailers as well.
        request.headers_mut().remove("grpc-accept-encoding");
        let base = self.base.clone();
        Box::pin(async move {
            let unreachable = |reason| Error::Fetch { origin: base, reason, offline: false };
            let mut response = inner.call(request).await.map_err(|error| to_status(error, unreachable))?;
            // The crate has checked it, and its body is no longer gRPC-Web.
            let content_type = HeaderValue::from_static(WireFormat::Grpc.content_type());
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            let trailers_only = response.headers().contains_key("grpc-status");
            Ok(response.map(|inner| Body::new(Lingering::new(inner, trailers_only))))
        })
    }
}

/// How long a response that has been read to its trailers is kept. The end of its body is on the way.
const LINGER: Duration = Duration::from_secs(1);

/// A response's body that is not aborted once it is complete.
///
/// The client stops reading at the trailers, before it has seen the body's end, and aborts the request
/// when the body is dropped. Right after the trailers that makes a browser note a call that went well as
/// a failed request, and close the connection that the next call could use. A response of headers alone
/// is noted as failed, too, when nobody reads its empty body.
struct Lingering {
    // None only while it is dropped.
    inner: Option<tonic_web_wasm_client::ResponseBody>,
    /// Whether the status is among the headers, so that the body may be empty.
    trailers_only: bool,
    complete: bool,
}

impl Lingering {
    fn new(inner: tonic_web_wasm_client::ResponseBody, trailers_only: bool) -> Self {
        Self { inner: Some(inner), trailers_only, complete: trailers_only }
    }
}

impl http_body::Body for Lingering {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(inner).poll_frame(cx));
        if matches!(frame, Some(Err(tonic_web_wasm_client::Error::MalformedResponse))) && self.trailers_only {
            return Poll::Ready(None);
        }
        self.trailers_only = false;
        self.complete |= matches!(&frame, Some(Ok(frame)) if frame.is_trailers());
        let lost = |reason| Error::ConnectionLost { reason };
        Poll::Ready(frame.map(|frame| frame.map_err(|error| to_status(error, lost))))
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let Some(mut inner) = self.inner.take().filter(|_| self.complete) {
            wasm_bindgen_futures::spawn_local(async move {
                let end = async { while let Some(Ok(_)) = inner.frame().await {} };
                select(pin!(end), pin!(crate::timer::sleep(LINGER))).await;
                crate::timer::sleep(LINGER).await;
                drop(inner);
            });
        }
    }
}

/// Says what the crate's error means. What was thrown by JavaScript means `thrown`.
fn to_status(error: tonic_web_wasm_client::Error, thrown: impl FnOnce(String) -> Error) -> Status {
    use tonic_web_wasm_client::Error as Theirs;
    let error = match error {
        Theirs::TonicStatusError(status) => return status,
        // The crate gives the text of what was thrown and nothing else.
        Theirs::JsError(reason) => thrown(reason),
        Theirs::MissingContentTypeHeader => Error::ContentType { found: String::new() },
        Theirs::InvalidContentType(found) => Error::ContentType { found },
        Theirs::MissingResponseBody => Error::Truncated { end: BodyEnd::Empty },
        Theirs::MalformedResponse => Error::Truncated { end: BodyEnd::InsideMessage },
        other => Error::Protocol { reason: other.to_string() },
    };
    error.into()
}
