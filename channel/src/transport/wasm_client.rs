//! gRPC-Web over `fetch` by `tonic-web-wasm-client`.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::select;
use http::{Request, Response, Uri};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tonic::Status;
use tonic::body::Body;
use tonic_web_wasm_client::{Client, Error};
use tower_service::Service as _;

use super::Transport;
use crate::maybe_send::BoxFuture;

/// Carries calls by [`tonic_web_wasm_client`].
///
/// Selected by the cargo feature `tonic-web-wasm-client`; it is the default then. [`Fetch`](crate::Fetch) keeps more
/// of what the specification promises.
#[derive(Debug)]
pub struct WasmClient {
    inner: Client,
}

impl WasmClient {
    /// Calls go to `uri`: scheme, authority, and perhaps a path that is put before the path of every call.
    pub fn new(uri: Uri) -> Self {
        // The client appends the call's path to this text.
        let base = uri.to_string();
        Self { inner: Client::new(base.trim_end_matches('/').to_owned()) }
    }
}

impl Transport for WasmClient {
    fn call(&self, mut request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        let mut inner = self.inner.clone();
        // It appends the whole URI, and would repeat the origin that generated clients put there.
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(path);
        }
        Box::pin(async move {
            let response = inner.call(request).await.map_err(to_status)?;
            let complete = response.headers().contains_key("grpc-status");
            Ok(response.map(|inner| Body::new(Lingering { inner: Some(inner), complete }.map_err(to_status))))
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
    complete: bool,
}

impl http_body::Body for Lingering {
    type Data = bytes::Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(inner).poll_frame(cx));
        self.complete |= matches!(&frame, Some(Ok(frame)) if frame.is_trailers());
        Poll::Ready(frame)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let Some(mut inner) = self.inner.take().filter(|_| self.complete) {
            wasm_bindgen_futures::spawn_local(async move {
                let end = async { while let Some(Ok(_)) = inner.frame().await {} };
                select(pin!(end), pin!(crate::sleep(LINGER))).await;
                crate::sleep(LINGER).await;
                drop(inner);
            });
        }
    }
}

/// The transport knows few codes; these are what a caller can act on.
fn to_status(error: Error) -> Status {
    match error {
        Error::TonicStatusError(status) => status,
        // What `fetch` and a stream's reader throw. A browser does not say which it was.
        Error::JsError(reason) if reason.contains("AbortError") => {
            Status::cancelled("the call was cancelled")
        }
        Error::JsError(reason) => Status::unavailable(format!(
            "the server could not be reached, the connection was lost, or the server does not allow \
             this page's origin: {reason}"
        )),
        Error::MissingContentTypeHeader | Error::InvalidContentType(_) => Status::unavailable(format!(
            "the answer is not gRPC-Web, so something else than the server answered: {error}"
        )),
        Error::MalformedResponse | Error::MissingResponseBody => {
            Status::unavailable(format!("the response was cut off before its status came: {error}"))
        }
        _ => Status::internal(error.to_string()),
    }
}
