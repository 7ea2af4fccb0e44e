//! gRPC over HTTP/2 by `tonic`'s own channel, with errors that say what happened.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::io;
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::{Code, ConnectError, Status, TimeoutExpired};
use tower_service::Service as _;

use super::Transport;
#[cfg(feature = "tls")]
use crate::builder::BuildError;
use crate::deadline;
use crate::error::Error;
use crate::maybe_send::BoxFuture;

/// Carries calls by `tonic`'s own channel. Only on native targets.
///
/// A [`Channel`](crate::Channel) makes one by itself, in cleartext, or by TLS with the feature `tls`. Make one of a
/// connection of `tonic`'s where it takes more than that: certificates of one's own, a Unix socket, a balanced list of
/// servers.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _entered = runtime.enter();
/// use tonic_web_channel::{Channel, Native};
/// use tonic::transport::Endpoint;
///
/// let uri = "http://127.0.0.1:50051";
/// // With `tonic`'s features for TLS: `.tls_config(ClientTlsConfig::new().with_enabled_roots())?`
/// let endpoint = Endpoint::from_static(uri).tcp_nodelay(true);
/// let channel = Channel::builder(uri).transport(Native::new(uri, endpoint.connect_lazy())).build()?;
/// # Ok::<(), tonic_web_channel::BuildError>(())
/// ```
#[derive(Debug)]
pub struct Native {
    inner: tonic::transport::Channel,
    origin: String,
}

impl Native {
    /// Calls go over `inner`. `origin` is where that leads to, for the words of errors.
    ///
    /// How long the headers of a response may be is `inner`'s own business: 16 KiB, unless it was made with
    /// `Endpoint::http2_max_header_list_size`. What is longer is `INTERNAL`.
    pub fn new(origin: impl Into<String>, inner: tonic::transport::Channel) -> Self {
        Self { inner, origin: origin.into() }
    }

    /// Connects to `uri` in cleartext when the first call comes.
    pub(crate) fn cleartext(uri: Uri, max_metadata: usize) -> Self {
        Self::new(origin(&uri), endpoint(uri, max_metadata).connect_lazy())
    }

    /// Connects to `uri` by TLS when the first call comes.
    #[cfg(feature = "tls")]
    pub(crate) fn tls(uri: Uri, max_metadata: usize) -> Result<Self, BuildError> {
        let trusting = tonic::transport::ClientTlsConfig::new().with_native_roots();
        let endpoint = endpoint(uri.clone(), max_metadata)
            .tls_config(trusting)
            .map_err(|source| BuildError::Tls { uri: uri.clone(), source })?;
        Ok(Self::new(origin(&uri), endpoint.connect_lazy()))
    }
}

fn origin(uri: &Uri) -> String {
    uri.to_string().trim_end_matches('/').to_owned()
}

fn endpoint(uri: Uri, max_metadata: usize) -> tonic::transport::Endpoint {
    // HTTP/2 counts 32 bytes more for each header, and what is refused there has no reason: so twice as much,
    // that the channel's own limit is what counts.
    let max_headers = u32::try_from(max_metadata.saturating_mul(2)).unwrap_or(u32::MAX);
    tonic::transport::Endpoint::from(uri).http2_max_header_list_size(max_headers)
}

impl Transport for Native {
    fn call(&self, request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        let mut inner = self.inner.clone();
        let failed = Failed {
            origin: self.origin.clone(),
            timeout: deadline::read(request.headers()).and_then(Result::ok),
        };
        Box::pin(async move {
            let failure = |error: tonic::transport::Error| {
                failed.name(&error).unwrap_or_else(|| Status::from_error(error.into()))
            };
            poll_fn(|cx| inner.poll_ready(cx)).await.map_err(&failure)?;
            let response = inner.call(request).await.map_err(&failure)?;
            Ok(response.map(|body| {
                Body::new(body.map_err(move |status| {
                    status.source().and_then(|error| failed.name(error)).unwrap_or(status)
                }))
            }))
        })
    }
}

/// What is known of a call that failed.
struct Failed {
    origin: String,
    timeout: Option<Duration>,
}

impl Failed {
    /// What `error` is, by the causes in it that are known. `tonic` says UNKNOWN or CANCELLED for most.
    fn name(&self, error: &(dyn StdError + 'static)) -> Option<Status> {
        let causes =
            || std::iter::successors(Some(error), |error: &&(dyn StdError + 'static)| (*error).source());
        causes().find_map(|cause| {
            if cause.is::<ConnectError>() {
                let reason = causes().last().map(ToString::to_string).unwrap_or_default();
                return Some(Error::Connect { origin: self.origin.clone(), reason }.into());
            }
            if cause.is::<TimeoutExpired>() {
                return Some(Error::Deadline { timeout: self.timeout.unwrap_or_default() }.into());
            }
            if let Some(reset) = cause.downcast_ref::<h2::Error>().filter(|error| error.is_reset()) {
                let code = reset.reason().map_or(Code::Unknown, code_of_reset);
                return Some(Status::new(code, format!("the server gave the call up ({reset})")));
            }
            is_lost(cause).then(|| Error::ConnectionLost { reason: cause.to_string() }.into())
        })
    }
}

/// Whether `cause` says that the connection is gone.
fn is_lost(cause: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_timeout()
            || error.is_canceled()
            || error.is_closed()
            || error.is_incomplete_message();
    }
    cause.is::<h2::Error>() || cause.is::<io::Error>()
}

/// The gRPC protocol over HTTP/2, "Errors".
fn code_of_reset(reason: h2::Reason) -> Code {
    match reason {
        h2::Reason::NO_ERROR
        | h2::Reason::PROTOCOL_ERROR
        | h2::Reason::INTERNAL_ERROR
        | h2::Reason::FLOW_CONTROL_ERROR
        | h2::Reason::SETTINGS_TIMEOUT
        | h2::Reason::FRAME_SIZE_ERROR
        | h2::Reason::COMPRESSION_ERROR
        | h2::Reason::CONNECT_ERROR => Code::Internal,
        h2::Reason::REFUSED_STREAM => Code::Unavailable,
        h2::Reason::CANCEL => Code::Cancelled,
        h2::Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Unknown,
    }
}
