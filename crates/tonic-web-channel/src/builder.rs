//! The options of a channel, each with its default.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tonic::body::Body;

use crate::channel::{Channel, Inner};
use crate::compression::{CompressBody, Compression};
use crate::credentials::{Credentials, TokenSource, Tokens};
use crate::gzip;
use crate::interceptor::{Chain, Intercept, Interceptor, SharedInterceptor};
use crate::limits::{DEFAULT_MAX_MESSAGE_SIZE, DEFAULT_MAX_METADATA_SIZE, OpenCalls};
use crate::maybe_send::{MaybeSend, MaybeSync, shared_fn};
use crate::method::{Method, Methods};
use crate::observe::{self, CallEvent, Listener, Observer};
use crate::retry::{Retry, RetryPolicy};
use crate::transport::{self, Transport};

/// Makes a [`Channel`].
///
/// ```
/// use std::time::Duration;
///
/// use tonic_web_channel::{Channel, Compression, Idempotency, MethodKind, Method};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _entered = runtime.enter();
/// let get_user = Method::new("/users.v1.Users/Get", MethodKind::Unary);
/// let channel = Channel::builder("http://127.0.0.1:50051")
///     .deadline(Duration::from_secs(20))
///     .idle_timeout(Duration::from_secs(45))
///     .methods([get_user.with_idempotency(Idempotency::NoSideEffects)])
///     .max_message_size(16 << 20)
///     .max_open_calls(100)
///     .compress_requests(Compression::Gzip)
///     .observer(|event| println!("{event:?}"))
///     .build()?;
/// # Ok::<(), tonic_web_channel::BuildError>(())
/// ```
#[must_use]
pub struct Builder {
    uri: String,
    transport: Option<Arc<dyn Transport>>,
    methods: Methods,
    deadline: Option<Duration>,
    idle_timeout: Option<Duration>,
    max_message: usize,
    max_metadata: usize,
    max_open_calls: Option<usize>,
    compress: Option<fn(Body) -> Body>,
    offer_gzip: bool,
    retry: RetryPolicy,
    interceptors: Vec<SharedInterceptor>,
    /// Makes one of them.
    chain: fn(Vec<SharedInterceptor>) -> Option<Arc<dyn Intercept>>,
    credentials: Option<Arc<dyn Tokens>>,
    observers: Vec<Observer>,
    /// Makes one listener of them.
    listener: fn(Vec<Observer>) -> Option<Listener>,
    capture: usize,
}

impl Builder {
    pub(crate) fn new(uri: String) -> Self {
        Self {
            uri,
            transport: None,
            methods: Methods::default(),
            deadline: None,
            idle_timeout: None,
            max_message: DEFAULT_MAX_MESSAGE_SIZE,
            max_metadata: DEFAULT_MAX_METADATA_SIZE,
            max_open_calls: None,
            compress: None,
            offer_gzip: true,
            retry: RetryPolicy::default(),
            interceptors: Vec::new(),
            chain: |_| None,
            credentials: None,
            observers: Vec::new(),
            listener: |_| None,
            capture: 0,
        }
    }

    /// How long a call may take that sets no deadline of its own (`tonic::Request::set_timeout`).
    ///
    /// Sent to the server as `grpc-timeout` and enforced here, over all attempts and the whole of a stream:
    /// the call ends with `DEADLINE_EXCEEDED` and [`Error::Deadline`](crate::Error::Deadline). None by
    /// default. Exempt a stream that is meant to stay open with [`no_deadline`](crate::no_deadline).
    ///
    /// The clock is asked at every step of a call. A browser delays the timers of a page that nobody looks
    /// at, so a call that waits there may end late, up to a minute, or when the page is looked at again.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How long nothing may come of a stream, its headers included, before the connection counts as dead.
    ///
    /// The stream ends with `UNAVAILABLE` and [`Error::Idle`](crate::Error::Idle). None by default. Methods
    /// that answer with one message by the method table are exempt. A request can have its own:
    /// [`idle_timeout`](crate::idle_timeout).
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// What may be called, so that the channel knows how many messages are due and what may be repeated.
    ///
    /// A method that answers with one message and does not is `UNIMPLEMENTED`, with
    /// [`Error::Cardinality`](crate::Error::Cardinality). Methods that are not in the table are called as they
    /// are. Empty by default; given several times, the tables add up.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods.extend(methods);
        self
    }

    /// The longest message that is taken, in bytes, compressed and decompressed; 4 MiB by default.
    ///
    /// A longer one ends the call with `RESOURCE_EXHAUSTED` and
    /// [`Error::MessageTooLarge`](crate::Error::MessageTooLarge) as soon as its length is known, before it
    /// takes any memory. `tonic`'s clients have a limit of their own, 4 MiB too: to take more, raise both.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// The most metadata that a response may have, in bytes of names and values, in its headers and in its
    /// trailers each; 64 KiB by default.
    ///
    /// More ends the call with `RESOURCE_EXHAUSTED` and
    /// [`Error::MetadataTooLarge`](crate::Error::MetadataTooLarge).
    pub fn max_metadata_size(mut self, bytes: usize) -> Self {
        self.max_metadata = bytes;
        self
    }

    /// How many calls may be open at once, each until its response has ended or was dropped; any number by
    /// default.
    ///
    /// One more ends at once with `RESOURCE_EXHAUSTED` and
    /// [`Error::TooManyCalls`](crate::Error::TooManyCalls), and nothing is sent.
    pub fn max_open_calls(mut self, calls: usize) -> Self {
        self.max_open_calls = Some(calls);
        self
    }

    /// Compresses the messages of requests where that makes them smaller. Off by default: a server that does
    /// not know the encoding answers `UNIMPLEMENTED`.
    ///
    /// A client that compresses by itself is left alone.
    pub fn compress_requests(mut self, compression: Compression) -> Self {
        self.compress = Some(match compression {
            Compression::Gzip => |body| Body::new(CompressBody::new(body)),
        });
        self
    }

    /// Whether servers are told that they may compress their messages with gzip. They are by default, and it
    /// is undone here. A browser that cannot undo it makes no such offer.
    ///
    /// A client that offers encodings by itself is left alone, and undoes them itself.
    pub fn accept_gzip(mut self, accept: bool) -> Self {
        self.offer_gzip = accept;
        self
    }

    /// When calls are repeated; see [`RetryPolicy`] for what is by default.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Adds an [`Interceptor`], after those that were added before. None by default.
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.push(shared_fn(move |call| interceptor.intercept(call)));
        self.chain = |interceptors| Some(Arc::new(Chain(interceptors)));
        self
    }

    /// Sends the token of `source` with every call, as the metadata `authorization`; see [`TokenSource`].
    /// None by default; the last one that is given counts.
    pub fn credentials(mut self, source: impl TokenSource) -> Self {
        self.credentials = Some(Arc::new(Credentials::new(source)));
        self
    }

    /// Tells `observer` what happens to every call, beside the observers that were given before. It is called
    /// in the course of the call, so it should return soon.
    pub fn observer(mut self, observer: impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static) -> Self {
        #[cfg(target_arch = "wasm32")]
        let observer = {
            let observer = send_wrapper::SendWrapper::new(observer);
            move |event: &CallEvent| (*observer)(event)
        };
        self.observers.push(Box::new(observer));
        self.listener = |observers| Some(observe::listener(observers));
        self
    }

    /// Gives observers the first `bytes` of every message, beside its length. 0 by default: keeping
    /// messages for somebody to look at costs a copy of each.
    pub fn capture(mut self, bytes: usize) -> Self {
        self.capture = bytes;
        self
    }

    /// Carries the calls by `transport` instead of the target's own.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// The channel. Nothing is connected yet.
    ///
    /// Natively a channel to `https://` needs the feature `tls`, or a [`transport`](Self::transport) that speaks TLS.
    /// Without either this is [`BuildError::TlsNeeded`], for the channel would send everything in cleartext, tokens
    /// included.
    pub fn build(self) -> Result<Channel, BuildError> {
        let uri: Uri =
            self.uri.parse().map_err(|source| BuildError::Malformed { uri: self.uri.clone(), source })?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
            return Err(BuildError::NotAbsolute { uri: self.uri });
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => transport::default_for(uri, self.max_metadata)?,
        };
        Ok(Channel::new(Inner {
            transport,
            methods: self.methods,
            deadline: self.deadline,
            idle_timeout: self.idle_timeout,
            max_message: self.max_message,
            max_metadata: self.max_metadata,
            open_calls: self.max_open_calls.map(OpenCalls::at_most),
            compress: self.compress,
            offer_gzip: self.offer_gzip && gzip::is_supported(),
            retry: Retry::new(self.retry),
            interceptors: (self.chain)(self.interceptors),
            credentials: self.credentials,
            listener: (self.listener)(self.observers),
            capture: self.capture,
        }))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("uri", &self.uri)
            .field("deadline", &self.deadline)
            .field("observed", &!self.observers.is_empty())
            .finish_non_exhaustive()
    }
}

/// Why a channel cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The text is no URI.
    #[error("`{uri}` is no URI")]
    Malformed {
        /// The text.
        uri: String,
        /// What is wrong with it.
        source: http::uri::InvalidUri,
    },
    /// The URI has no scheme that the channel speaks, or no authority.
    #[error("`{uri}` needs a scheme, http or https, and an authority, as in http://127.0.0.1:50051")]
    NotAbsolute {
        /// The URI.
        uri: String,
    },
    /// The scheme is `https`, and natively the channel speaks TLS only with its feature `tls`.
    #[error(
        "`{uri}` needs TLS: switch on the feature `tls` of the crate `channel`, or give the builder a transport that \
         speaks it, `Native::new(uri, endpoint.tls_config(..)?.connect_lazy())`"
    )]
    TlsNeeded {
        /// The URI.
        uri: Uri,
    },
    /// TLS cannot be set up: for example, the system has no root certificates.
    #[cfg(all(feature = "tls", not(target_arch = "wasm32")))]
    #[error("TLS for `{uri}` cannot be set up")]
    Tls {
        /// The URI.
        uri: Uri,
        /// What is missing.
        source: tonic::transport::Error,
    },
}
