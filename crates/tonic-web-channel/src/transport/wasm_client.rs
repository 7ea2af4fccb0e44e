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
/// Needs the cargo feature `tonic-web-wasm-client`. [`Fetch`](crate::Fetch), the default transport, implements more of the
/// specification. This transport works around some of the crate's defects: the origin is not sent twice, empty bodies
/// are accepted, and complete responses are not aborted. Responses are not compressed, because the crate cannot read
/// compressed trailers. These defects remain: only the last value of repeated metadata is received, truncated trailers
/// lose the status, and the HTTP status of an answer without gRPC is unknown.
///
/// ```no_run
/// # #[cfg(target_arch = "wasm32")]
/// # fn build() -> Result<tonic_web_channel::Channel, Box<dyn std::error::Error>> {
/// use tonic_web_channel::{Channel, WasmClient};
///
/// let channel = Channel::with_transport(WasmClient::new("https://example.com".parse()?)).build()?;
/// # Ok(channel)
/// # }
/// ```
#[derive(Debug)]
pub struct WasmClient {
    inner: Client,
    base: String,
}

impl WasmClient {
    /// Calls go to `uri`: a scheme, an authority, and an optional path that goes before the path of every call.
    pub fn new(uri: Uri) -> Self {
        // The client appends the path of the call to this string.
        let base = uri.to_string().trim_end_matches('/').to_owned();
        Self { inner: Client::new(base.clone()), base }
    }
}

impl Transport for WasmClient {
    fn prepare(&self, request: &mut Request<Body>) {
        // A server that may compress messages compresses trailers as well.
        request.headers_mut().remove("grpc-accept-encoding");
    }

    fn call(&self, mut request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        let mut inner = self.inner.clone();
        // The client appends the whole URI, so the origin that generated clients put there would be repeated.
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(path);
        }
        let base = self.base.clone();
        Box::pin(async move {
            let fetch_failed = |reason| Error::Fetch { origin: base, reason, offline: false };
            let mut response = inner.call(request).await.map_err(|error| to_status(error, fetch_failed))?;
            // The crate has checked the content type, and its body is not gRPC-Web any more.
            let content_type = HeaderValue::from_static(WireFormat::Grpc.content_type());
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            let trailers_only = response.headers().contains_key("grpc-status");
            Ok(response.map(|inner| Body::new(Lingering::new(inner, trailers_only))))
        })
    }
}

/// Timeout for the end of a response body after its trailers, which normally arrives at once.
const LINGER: Duration = Duration::from_secs(1);

/// A response body that is not aborted once it is complete.
///
/// The client stops reading at the trailers, before the end of the body, and aborts the request when the body is dropped.
/// A browser then reports a failed request for a successful call, and closes the connection instead of reusing it. It does
/// the same for a response without a body that is never read.
struct Lingering {
    /// None only during the drop.
    inner: Option<tonic_web_wasm_client::ResponseBody>,
    /// Whether the headers have the status, so that the body may be empty.
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

/// The status for an error of the crate; `thrown` makes it from the text of a JavaScript exception.
fn to_status(error: tonic_web_wasm_client::Error, thrown: impl FnOnce(String) -> Error) -> Status {
    use tonic_web_wasm_client::Error as Theirs;
    let error = match error {
        Theirs::TonicStatusError(status) => return status,
        Theirs::JsError(reason) => thrown(reason),
        Theirs::MissingContentTypeHeader => Error::ContentType { found: String::new() },
        Theirs::InvalidContentType(found) => Error::ContentType { found },
        Theirs::MissingResponseBody => Error::Truncated { end: BodyEnd::Empty },
        Theirs::MalformedResponse => Error::Truncated { end: BodyEnd::InsideMessage },
        other => Error::Protocol { reason: other.to_string() },
    };
    error.into()
}
