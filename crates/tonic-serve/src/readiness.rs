//! Readiness: whether further clients should be sent to a server, and the paths by which load balancers ask.
//!
//! Knows the budget and the application's own check, and no connection.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::watch;
use tonic::body::Body;

use crate::budget::BudgetState;
use crate::response::{NO_STORE, plain_text};

/// The process lives: always 200.
const LIVE: &str = "/healthz";

/// Further clients are welcome: 200, or 503 with the reason.
const READY: &str = "/readyz";

const OK: &str = "ok\n";

/// A condition that an operator should know of, as a sentence without a full stop.
type Warning = Box<dyn Fn() -> Option<Cow<'static, str>> + Send + Sync>;

/// Whether further clients should be sent to a server, as load balancers ask at `/readyz`.
///
/// A server is not ready while the application's own check fails, from the beginning of its shutdown, while as many calls are
/// open as it allows, and while as many connections are and none of them is idle: an idle one makes room. Clones share one state.
///
/// ```
/// use tonic::service::Routes;
/// use tonic_serve::{App, Readiness};
///
/// let readiness = Readiness::new(|| if true { Ok(()) } else { Err("the database refuses writes") });
/// let app = App::new(Routes::default()).health_paths(readiness.clone());
/// assert!(readiness.check().is_ok());
/// ```
#[derive(Clone)]
pub struct Readiness(Arc<Inner>);

struct Inner {
    check: Box<dyn Fn() -> Result<(), NotReady> + Send + Sync>,
    warning: OnceLock<Warning>,
    draining: watch::Sender<bool>,
    /// The budget of the port, from the time when it is served.
    budget: OnceLock<Weak<BudgetState>>,
}

/// The reason why a server is not ready, as a sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotReady(Cow<'static, str>);

impl Readiness {
    /// The readiness of an application whose own `check` returns a sentence that says why it is not ready. It runs for every
    /// request and must not block.
    pub fn new<R: Into<Cow<'static, str>>>(
        check: impl Fn() -> Result<(), R> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            check: Box::new(move || check().map_err(|reason| NotReady(reason.into()))),
            warning: OnceLock::new(),
            draining: watch::Sender::new(false),
            budget: OnceLock::new(),
        }))
    }

    /// Adds a second line to the answer of `/readyz` while `warning` returns a sentence, although the server is ready: something
    /// that an operator should know of. It runs for every request and must not block. A second warning is ignored.
    pub fn set_warning<W: Into<Cow<'static, str>>>(
        &self,
        warning: impl Fn() -> Option<W> + Send + Sync + 'static,
    ) {
        self.0.warning.set(Box::new(move || warning().map(Into::into))).ok();
    }

    /// Whether the server is ready.
    ///
    /// # Errors
    ///
    /// The first of these reasons: shutdown, the application's, the limits of connections and calls.
    pub fn check(&self) -> Result<(), NotReady> {
        if self.is_draining() {
            return Err(NotReady("the server is shutting down".into()));
        }
        (self.0.check)()?;
        match self.0.budget.get().and_then(Weak::upgrade).and_then(|budget| budget.reached_limit()) {
            Some(reason) => Err(NotReady(reason.into())),
            None => Ok(()),
        }
    }

    /// Makes the server not ready for the rest of its life. [`serve`](crate::serve) does so at its shutdown; an application that
    /// wants load balancers to notice before that calls it earlier.
    pub fn begin_drain(&self) {
        self.0.draining.send_replace(true);
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.0.draining.borrow()
    }

    /// Completes when the drain has begun.
    pub async fn draining(&self) {
        // The sender is a part of `self`.
        self.0.draining.subscribe().wait_for(|draining| *draining).await.ok();
    }

    /// Takes the limits of connections and calls into account. A second port with the same readiness is not.
    pub(crate) fn watch_budget(&self, budget: &Arc<BudgetState>) {
        // The first one stays.
        self.0.budget.set(Arc::downgrade(budget)).ok();
    }

    fn ok(&self) -> Bytes {
        match self.0.warning.get().and_then(|warning| warning()) {
            Some(warning) => format!("{OK}warning: {warning}\n").into(),
            None => OK.into(),
        }
    }

    /// The response to a request for one of the paths; `None` for other requests. `is_refused`: the limits of calls refuse
    /// the request.
    pub(crate) fn respond<B>(&self, request: &Request<B>, is_refused: bool) -> Option<Response<Body>> {
        let path = request.uri().path();
        if path != LIVE && path != READY {
            return None;
        }
        let mut response = match *request.method() {
            Method::GET | Method::HEAD if path == LIVE => text(StatusCode::OK, OK.into()),
            Method::GET | Method::HEAD if is_refused => {
                text(StatusCode::SERVICE_UNAVAILABLE, "the limit of open calls is reached\n".into())
            }
            Method::GET | Method::HEAD => match self.check() {
                Ok(()) => text(StatusCode::OK, self.ok()),
                Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n").into()),
            },
            _ => {
                let mut response = plain_text(StatusCode::METHOD_NOT_ALLOWED, "use GET or HEAD\n");
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        };
        if request.method() == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        Some(response)
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readiness").field(&self.check()).finish()
    }
}

/// A response that is not cached. The length is a field of its own, because that to HEAD has no body.
fn text(status: StatusCode, text: Bytes) -> Response<Body> {
    let length = HeaderValue::from(text.len());
    let mut response = Response::new(Body::new(Full::new(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(CONTENT_LENGTH, length);
    response
}
