//! The carrier of calls from the channel to a server.

#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(all(target_arch = "wasm32", feature = "tonic-web-wasm-client"))]
mod wasm_client;

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Request, Response, Uri};
use tonic::Status;
use tonic::body::Body;

#[cfg(target_arch = "wasm32")]
pub use self::fetch::{Cookies, Fetch};
#[cfg(not(target_arch = "wasm32"))]
pub use self::native::Native;
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
    fn prepare(&self, _headers: &mut HeaderMap) {}

    /// Sends one call; resolves when the response's head has come.
    fn call(&self, request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>>;
}

/// The transport of a channel to `uri` that was given no other. Native channels speak TLS with the feature `tls`; without
/// it, a URI that asks for TLS is an error.
#[cfg_attr(
    target_arch = "wasm32",
    expect(unused_variables, reason = "a connection there has no such setting")
)]
pub(crate) fn default_for(uri: Uri, max_metadata: usize) -> Result<Arc<dyn Transport>, BuildError> {
    #[cfg(not(target_arch = "wasm32"))]
    return match uri.scheme_str() {
        #[cfg(feature = "tls")]
        Some("https") => Ok(Arc::new(Native::tls(uri, max_metadata)?)),
        #[cfg(not(feature = "tls"))]
        Some("https") => Err(BuildError::TlsNeeded { uri }),
        _ => Ok(Arc::new(Native::cleartext(uri, max_metadata))),
    };
    #[cfg(all(target_arch = "wasm32", feature = "tonic-web-wasm-client"))]
    return Ok(Arc::new(WasmClient::new(uri)));
    #[cfg(all(target_arch = "wasm32", not(feature = "tonic-web-wasm-client")))]
    return Ok(Arc::new(Fetch::new(uri)));
}
