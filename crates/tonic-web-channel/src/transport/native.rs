//! gRPC over HTTP/2 by `tonic`'s own channel, with TLS where the URI asks for it and errors that say what to check.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tonic::{ConnectError, Status, TimeoutExpired};
use tower_service::Service as _;

use super::{Transport, http2};
use crate::build_error::BuildError;
use crate::deadline;
use crate::error::Error;
use crate::maybe_send::BoxFuture;

/// Carries calls over a connection of `tonic`'s. Only on native targets.
///
/// A [`Channel`](crate::Channel) without a transport makes one for its URI. Make one yourself for anything more than
/// that: client certificates, a private certificate authority, a Unix socket, a balanced list of servers.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _entered = runtime.enter();
/// use tonic::transport::Endpoint;
/// use tonic_web_channel::{Channel, Native};
///
/// let uri = "http://127.0.0.1:50051";
/// // With `tonic`'s TLS features: `.tls_config(ClientTlsConfig::new().with_enabled_roots())?`
/// let endpoint = Endpoint::from_static(uri).tcp_nodelay(true);
/// let channel = Channel::builder(uri).transport(Native::new(uri, endpoint.connect_lazy())).build()?;
/// # Ok::<(), tonic_web_channel::BuildError>(())
/// ```
#[derive(Debug)]
pub struct Native {
    inner: tonic::transport::Channel,
    /// The server's name in errors.
    origin: String,
    /// Goes before the path of every call; empty for none.
    prefix: String,
    /// Whether any response has come.
    has_answered: Arc<AtomicBool>,
}

impl Native {
    /// Calls go over `inner`. `uri` names the server in errors, and its path goes before the path of every call.
    ///
    /// `inner` limits the size of response headers: to 16 KiB, unless `Endpoint::http2_max_header_list_size` sets
    /// another limit. Larger headers end a call with `INTERNAL`.
    pub fn new(uri: impl Into<String>, inner: tonic::transport::Channel) -> Self {
        let origin = uri.into();
        let prefix = origin.parse::<Uri>().map(|uri| uri.path().trim_end_matches('/').to_owned());
        let origin = origin.trim_end_matches('/').to_owned();
        Self { inner, origin, prefix: prefix.unwrap_or_default(), has_answered: Arc::default() }
    }

    /// Connects to `uri` when the first call is made: by TLS to `https`, else in cleartext.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoRuntime`], [`BuildError::TlsNeeded`] and [`BuildError::Tls`].
    pub(crate) fn connect_lazy(uri: Uri, max_metadata: usize) -> Result<Self, BuildError> {
        // `tonic` spawns a task for the connection at once, and panics outside a runtime.
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(BuildError::NoRuntime);
        }
        let mut endpoint = endpoint(uri.clone(), max_metadata);
        if uri.scheme() == Some(&Scheme::HTTPS) {
            endpoint = with_tls(endpoint, &uri)?;
        }
        Ok(Self::new(uri.to_string(), endpoint.connect_lazy()))
    }

    /// Puts the prefix before the path of `uri`.
    fn prefixed(&self, uri: Uri) -> Uri {
        if self.prefix.is_empty() {
            return uri;
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // Both are valid paths, so their concatenation is.
        format!("{}{path}", self.prefix).parse().unwrap_or(uri)
    }
}

fn endpoint(uri: Uri, max_metadata: usize) -> Endpoint {
    // HTTP/2 adds 32 bytes to the size of every header, and refuses larger headers without a reason. Twice the size
    // makes the channel's own limit, which has one, the effective limit.
    let max_headers = u32::try_from(max_metadata.saturating_mul(2)).unwrap_or(u32::MAX);
    Endpoint::from(uri).http2_max_header_list_size(max_headers)
}

#[cfg(feature = "_tls")]
fn with_tls(endpoint: Endpoint, uri: &Uri) -> Result<Endpoint, BuildError> {
    let config = tonic::transport::ClientTlsConfig::new();
    #[cfg(feature = "tls-native-roots")]
    let config = config.with_native_roots();
    #[cfg(feature = "tls-webpki-roots")]
    let config = config.with_webpki_roots();
    endpoint.tls_config(config).map_err(|source| BuildError::Tls { uri: uri.clone(), source })
}

#[cfg(not(feature = "_tls"))]
fn with_tls(_: Endpoint, uri: &Uri) -> Result<Endpoint, BuildError> {
    Err(BuildError::TlsNeeded { uri: uri.clone() })
}

impl Transport for Native {
    fn call(&self, mut request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        let uri = std::mem::take(request.uri_mut());
        *request.uri_mut() = self.prefixed(uri);
        let mut inner = self.inner.clone();
        let context = FailureContext {
            origin: self.origin.clone(),
            timeout: deadline::read(request.headers()).and_then(Result::ok),
            has_answered: self.has_answered.clone(),
        };
        Box::pin(async move {
            let to_status = |error: tonic::transport::Error| {
                context.classify(&error).unwrap_or_else(|| Status::from_error(error.into()))
            };
            poll_fn(|cx| inner.poll_ready(cx)).await.map_err(&to_status)?;
            let response = inner.call(request).await.map_err(&to_status)?;
            context.has_answered.store(true, Ordering::Relaxed);
            Ok(response.map(|body| {
                Body::new(body.map_err(move |status| {
                    status.source().and_then(|error| context.classify(error)).unwrap_or(status)
                }))
            }))
        })
    }
}

/// The parts of a call that the errors of its failure name.
struct FailureContext {
    origin: String,
    timeout: Option<Duration>,
    has_answered: Arc<AtomicBool>,
}

impl FailureContext {
    /// The status for `error`, by the first known error in its chain of sources. `tonic` gives UNKNOWN or CANCELLED
    /// for most of them.
    fn classify(&self, error: &(dyn StdError + 'static)) -> Option<Status> {
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
            if let Some(error) = cause.downcast_ref::<h2::Error>() {
                return Some(self.of_http2(error));
            }
            is_connection_lost(cause).then(|| self.connection_lost(cause))
        })
    }

    fn of_http2(&self, error: &h2::Error) -> Status {
        if let Some(status) = http2::status_of(error) {
            return status;
        }
        // The first bytes of an HTTP/1.1 response and of a TLS alert both read as a frame that is too long.
        if error.is_library() && error.reason() == Some(h2::Reason::FRAME_SIZE_ERROR) {
            return Error::NotHttp2 { origin: self.origin.clone() }.into();
        }
        self.connection_lost(error)
    }

    fn connection_lost(&self, cause: &dyn StdError) -> Status {
        let mut reason = cause.to_string();
        // Many TLS servers close the connection without an answer.
        if !self.has_answered.load(Ordering::Relaxed) {
            let origin = &self.origin;
            reason += &format!(
                "; if every call fails so, there is no HTTP/2 server at {origin}, or it expects TLS"
            );
        }
        Error::ConnectionLost { reason }.into()
    }
}

/// Whether `cause` is the loss of a connection.
fn is_connection_lost(cause: &(dyn StdError + 'static)) -> bool {
    match cause.downcast_ref::<hyper::Error>() {
        Some(error) => {
            error.is_timeout() || error.is_canceled() || error.is_closed() || error.is_incomplete_message()
        }
        None => cause.is::<io::Error>(),
    }
}
