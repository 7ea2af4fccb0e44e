//! The carrier of calls from the channel to a server.

#[cfg(feature = "socket")]
mod auto;
mod cookies;
#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(any(not(target_arch = "wasm32"), feature = "socket"))]
mod http2;
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(feature = "socket")]
mod socket;
#[cfg(all(target_arch = "wasm32", feature = "tonic-web-wasm-client"))]
mod wasm_client;

use std::fmt;
use std::sync::Arc;

use http::{Request, Response, Uri};
use tonic::Status;
use tonic::body::Body;

#[cfg(feature = "socket")]
pub use self::auto::{Auto, Route};
pub use self::cookies::Cookies;
#[cfg(target_arch = "wasm32")]
pub use self::fetch::Fetch;
#[cfg(not(target_arch = "wasm32"))]
pub use self::native::Native;
#[cfg(feature = "socket")]
pub use self::socket::{Socket, Windows};
#[cfg(all(target_arch = "wasm32", feature = "tonic-web-wasm-client"))]
pub use self::wasm_client::WasmClient;
use crate::build_error::BuildError;
use crate::maybe_send::BoxFuture;

/// Carries calls to one server.
///
/// A request comes as `tonic` makes it: its path, its metadata as headers with `grpc-timeout` and `grpc-encoding` among
/// them, and a body of length-prefixed messages. Its extensions have a [`CallContext`](crate::CallContext).
/// The response has the form of gRPC over HTTP/2:
///
/// - the headers are its metadata with a content type of gRPC, and `grpc-status` when there is no body,
/// - the body is length-prefixed messages, cut anywhere, then one frame of trailers. A body that ends without trailers
///   counts as truncated.
///
/// A failure is a [`Status`] made of an [`Error`](crate::Error). Dropping the future or the body aborts the call.
/// Deadlines, limits, retries, compression of messages and validation belong to the channel.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Makes the headers of a request those that are sent. Called before [`call`](Self::call), so that an observer sees
    /// what is sent ([`AttemptStarted`](crate::observe::CallEventKind::AttemptStarted)).
    fn prepare(&self, _request: &mut Request<Body>) {}

    /// Whether it has to know the kind of each method. Then the channel is not built without a
    /// [method table](crate::Builder::methods).
    fn needs_methods(&self) -> bool {
        false
    }

    /// Sends one call; resolves when the response's head has come.
    fn call(&self, request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>>;
}

/// The transport of a channel to `uri` that is given no other.
///
/// `max_metadata` is the limit of response headers in bytes; `Fetch` reads it from each request instead.
#[cfg(target_arch = "wasm32")]
pub(crate) fn default_for(
    uri: Uri,
    _max_metadata: usize,
    cookies: Cookies,
) -> Result<Arc<dyn Transport>, BuildError> {
    Ok(Arc::new(Fetch::new(uri).cookies(cookies)))
}

/// The transport of a channel to `uri` that is given no other.
///
/// `max_metadata` is the limit of response headers in bytes. `cookies` has no effect here.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn default_for(
    uri: Uri,
    max_metadata: usize,
    _cookies: Cookies,
) -> Result<Arc<dyn Transport>, BuildError> {
    Ok(Arc::new(Native::connect_lazy(uri, max_metadata)?))
}

/// The address of `path` at this page's or worker's origin. `None` where that is no address: in a page from a file, and outside a
/// browser.
#[cfg(any(target_arch = "wasm32", feature = "socket"))]
pub(crate) fn at_own_origin(path: &str) -> Option<Uri> {
    [own_origin().as_str(), path].concat().parse().ok().filter(|uri: &Uri| uri.authority().is_some())
}

/// The origin of this page or worker, as in `https://example.com`; empty outside a browser.
pub(crate) fn own_origin() -> String {
    #[cfg(target_arch = "wasm32")]
    return crate::js::get(&crate::js::of_global("location"), "origin").as_string().unwrap_or_default();
    #[cfg(not(target_arch = "wasm32"))]
    return String::new();
}
