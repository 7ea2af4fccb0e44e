//! The options of a channel, and the order of its layers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tonic::Status;

use crate::build_error::BuildError;
use crate::channel::Channel;
use crate::compression::CompressionEncoding;
use crate::layer::compression::{AcceptCompressed, SendCompressed};
use crate::layer::concurrency::LimitConcurrency;
use crate::layer::context::InsertContext;
use crate::layer::credentials::{Credentials, TokenSource};
use crate::layer::deadline::EnforceDeadline;
use crate::layer::interceptor::{Intercept, Outgoing};
use crate::layer::observe::Observe;
use crate::layer::retry::Retry;
use crate::layer::validate::Validate;
use crate::layer::{Layer, Stack};
use crate::limits::Limits;
use crate::maybe_send::{MaybeSend, MaybeSync};
use crate::method::{Method, MethodTable};
use crate::observe::CallEvent;
use crate::retry::{self, Advisor, RetryPolicy};
use crate::transport::{self, Cookies, Transport};

/// Makes a [`Channel`].
///
/// ```
/// use std::time::Duration;
///
/// use tonic_web_channel::{Channel, CompressionEncoding, Idempotency, Method, MethodKind};
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
///     .send_compressed(CompressionEncoding::Gzip)
///     .observer(|event| println!("{event:?}"))
///     .build()?;
/// # Ok::<(), tonic_web_channel::BuildError>(())
/// ```
#[must_use]
pub struct Builder {
    uri: String,
    transport: Option<Arc<dyn Transport>>,
    cookies: Cookies,
    methods: MethodTable,
    limits: Limits,
    deadline: Option<Duration>,
    idle_timeout: Option<Duration>,
    retry: RetryPolicy,
    advisor: Option<Advisor>,
    // Optional layers are stored as their constructors: the linker drops a layer that no setter was called for.
    observers: Vec<Layer>,
    concurrency: Option<Layer>,
    interceptors: Vec<Layer>,
    accept_compressed: Option<Layer>,
    send_compressed: Option<Layer>,
    credentials: Option<Layer>,
}

impl Builder {
    pub(crate) fn new(uri: String) -> Self {
        Self {
            uri,
            transport: None,
            cookies: Cookies::default(),
            methods: MethodTable::default(),
            limits: Limits::default(),
            deadline: None,
            idle_timeout: None,
            retry: RetryPolicy::default(),
            advisor: None,
            observers: Vec::new(),
            concurrency: None,
            interceptors: Vec::new(),
            accept_compressed: AcceptCompressed::layer(),
            send_compressed: None,
            credentials: None,
        }
    }

    /// Deadline of calls that set none (`tonic::Request::set_timeout`). None by default.
    ///
    /// It is sent to the server as `grpc-timeout` and enforced here, over all attempts and the whole of a stream: the
    /// call ends with `DEADLINE_EXCEEDED` and [`Error::Deadline`](crate::Error::Deadline). The streams of a
    /// [`Subscription`](crate::Subscription) are exempt. Exempt another stream that is meant to stay open by
    /// [`no_deadline`](crate::RequestExt::no_deadline).
    ///
    /// The clock is asked at each step of a call. A browser delays the timers of hidden pages, so a call that waits there
    /// may end up to a minute late, or when the page is shown again.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Longest time without a byte on a stream that is being read, its headers included. None by default.
    ///
    /// The stream ends with `UNAVAILABLE` and [`Error::Idle`](crate::Error::Idle). Methods that answer with one message
    /// by the method table are exempt. A request's own
    /// [`idle_timeout`](crate::RequestExt::idle_timeout) wins.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Adds to the method table: the number of messages that are due, and the calls that may be repeated. Empty by
    /// default.
    ///
    /// A method that is to answer with one message and does not is `UNIMPLEMENTED`, with
    /// [`Error::Cardinality`](crate::Error::Cardinality). Methods outside the table are called without such checks;
    /// observers get a warning when the table has other methods of the same service.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods.extend(methods);
        self.advisor = Some(retry::advice);
        self
    }

    /// Longest message of a response, in bytes, compressed and decompressed; 4 MiB by default.
    ///
    /// A longer one ends the call with `RESOURCE_EXHAUSTED` and
    /// [`Error::MessageTooLarge`](crate::Error::MessageTooLarge) as soon as its length is known, before it takes any
    /// memory. `tonic`'s clients have a limit too, 4 MiB: to take more, raise both.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.limits.max_message = bytes;
        self
    }

    /// Most metadata of a response, in bytes of names and values, in its headers and in its trailers each; 64 KiB by
    /// default.
    ///
    /// More ends the call with `RESOURCE_EXHAUSTED` and
    /// [`Error::MetadataTooLarge`](crate::Error::MetadataTooLarge).
    pub fn max_metadata_size(mut self, bytes: usize) -> Self {
        self.limits.max_metadata = bytes;
        self
    }

    /// Most calls that are open at once, each until its response has ended or was dropped; unlimited by default.
    ///
    /// One more ends at once with `RESOURCE_EXHAUSTED` and [`Error::TooManyCalls`](crate::Error::TooManyCalls), and
    /// nothing is sent.
    pub fn max_open_calls(mut self, calls: usize) -> Self {
        self.concurrency = Some(LimitConcurrency::layer(calls));
        self
    }

    /// Compresses the messages of requests where that makes them smaller. Off by default: a server that does not know
    /// the encoding answers `UNIMPLEMENTED`.
    ///
    /// Requests of a client that compresses them itself are left alone.
    pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.send_compressed = Some(match encoding {
            CompressionEncoding::Gzip => SendCompressed::layer(),
        });
        self
    }

    /// The encoding that servers may compress messages with; gzip by default, `None` for no compression. The channel
    /// decompresses them. A browser that cannot makes no offer.
    ///
    /// The offer of a client that decompresses messages itself is left alone.
    pub fn accept_compressed(mut self, encoding: impl Into<Option<CompressionEncoding>>) -> Self {
        self.accept_compressed = match encoding.into() {
            Some(CompressionEncoding::Gzip) => AcceptCompressed::layer(),
            None => None,
        };
        self
    }

    /// The rules for repeating calls; see [`RetryPolicy`] for the default.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Adds an interceptor: a function that sees each call before it is sent, may change its metadata and may refuse it.
    /// None by default.
    ///
    /// Interceptors run in the order in which they are added, once for each call and not for each attempt, and within the
    /// call's deadline. The call ends with the status that an interceptor fails with.
    ///
    /// ```
    /// use tonic_web_channel::Channel;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # let _entered = runtime.enter();
    /// let channel = Channel::builder("http://127.0.0.1:50051")
    ///     .interceptor(|mut request| async move {
    ///         let number = request.call_number();
    ///         request.metadata_mut().insert("x-call-number", number.into());
    ///         Ok(request)
    ///     })
    ///     .build()?;
    /// # Ok::<(), tonic_web_channel::BuildError>(())
    /// ```
    pub fn interceptor<F, R>(mut self, interceptor: F) -> Self
    where
        F: Fn(Outgoing) -> R + MaybeSend + MaybeSync + 'static,
        R: Future<Output = Result<Outgoing, Status>> + MaybeSend + 'static,
    {
        self.interceptors.push(Intercept::layer(interceptor));
        self
    }

    /// Sends the token of `source` with each call, as the metadata `authorization`; see [`TokenSource`]. None by default;
    /// a later source replaces an earlier one.
    pub fn credentials(mut self, source: impl TokenSource) -> Self {
        self.credentials = Some(Credentials::layer(source));
        self
    }

    /// Registers an observer of every call; repeatable. It runs synchronously on the path of the call and must not block.
    pub fn observer(mut self, observer: impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static) -> Self {
        #[cfg(target_arch = "wasm32")]
        let observer = {
            let observer = send_wrapper::SendWrapper::new(observer);
            move |event: &CallEvent| (*observer)(event)
        };
        self.observers.push(Observe::layer(Box::new(observer)));
        self
    }

    /// Bytes from the start of each message that observers are given; 0 by default, because they are copied.
    pub fn capture(mut self, bytes: usize) -> Self {
        self.limits.capture = bytes;
        self
    }

    /// Whether a browser's calls carry cookies: only calls to the page's own origin by default. No effect natively, and
    /// none on a [`transport`](Self::transport) of your own.
    pub fn cookies(mut self, cookies: Cookies) -> Self {
        self.cookies = cookies;
        self
    }

    /// Carries calls by `transport` instead of the target's own. See also
    /// [`Channel::with_transport`](crate::Channel::with_transport), which needs no URI.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// The channel. Nothing is connected yet.
    ///
    /// Natively a channel to `https://` needs one of the features `tls-native-roots` and `tls-webpki-roots`, or a
    /// [`transport`](Self::transport) that speaks TLS. A native channel without a transport is built inside a `tokio`
    /// runtime.
    ///
    /// # Errors
    ///
    /// See [`BuildError`]. Without TLS a channel to `https://` is refused ([`BuildError::TlsNeeded`]): it would send
    /// everything in cleartext, tokens included.
    pub fn build(self) -> Result<Channel, BuildError> {
        let transport = match self.transport {
            Some(transport) if self.uri.is_empty() => transport,
            transport => {
                let uri = absolute(&self.uri)?;
                let default = || transport::default_for(uri, self.limits.max_metadata, self.cookies);
                transport.map_or_else(default, Ok)?
            }
        };
        if transport.needs_methods() && self.methods.is_empty() {
            return Err(BuildError::NoMethods);
        }
        // From the wire to the caller.
        let stack = Stack::new(Validate::new(transport))
            .push(self.credentials)
            .wrap(|inner| Retry::new(self.retry, self.advisor, inner))
            .push(self.send_compressed)
            .push(self.accept_compressed)
            .push_all(self.interceptors)
            .wrap(|inner| EnforceDeadline::new(self.deadline, inner))
            .push(self.concurrency)
            .push_all(self.observers)
            .wrap(|inner| InsertContext::new(self.methods, self.limits, self.idle_timeout, inner));
        Ok(Channel::new(stack.into_service(), self.uri.into()))
    }
}

/// `text` as a URI with a scheme, an authority, and perhaps a path.
fn absolute(text: &str) -> Result<Uri, BuildError> {
    if text.is_empty() {
        return Err(BuildError::NoAddress);
    }
    let uri: Uri = text.parse().map_err(|source| BuildError::Malformed { uri: text.to_owned(), source })?;
    let Some(authority) = uri.authority().filter(|_| matches!(uri.scheme_str(), Some("http" | "https")))
    else {
        return Err(BuildError::NotAbsolute { uri: text.to_owned() });
    };
    // Browsers refuse such an address in the same words as a server that is not there.
    if authority.as_str().contains('@') {
        return Err(BuildError::UserInfo);
    }
    if authority.port().is_none() && authority.as_str() != authority.host() {
        return Err(BuildError::Port { uri: text.to_owned() });
    }
    if uri.query().is_some() {
        return Err(BuildError::Query { uri: text.to_owned() });
    }
    Ok(uri)
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
