//! The facts of one call that its layers and its transport share: one extension of the call's request.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::Extensions;

use crate::cancel::NewCancellation;
use crate::deadline::DeadlineEnd;
use crate::limits::Limits;
use crate::method::{Idempotency, Method};
use crate::observe::Reporter;

/// The call that a request belongs to, for a [`Transport`](crate::Transport): an extension of the request.
///
/// ```
/// # fn example(request: &http::Request<()>) {
/// use tonic_web_channel::CallContext;
///
/// if let Some(call) = request.extensions().get::<CallContext>() {
///     println!("call {}", call.number());
/// }
/// # }
/// ```
#[derive(Clone, Default)]
pub struct CallContext {
    pub(crate) number: u64,
    pub(crate) method: Option<Method>,
    pub(crate) options: CallOptions,
    /// Whether the channel accepts gzip and decompresses it; otherwise that is up to the caller.
    pub(crate) accepts_gzip: bool,
    pub(crate) limits: Limits,
    /// Idle timeout of each attempt.
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) deadline: Option<DeadlineEnd>,
    /// Whether the method table has the method's service, but not the method.
    pub(crate) is_unlisted: bool,
    /// Whether an attempt of this call has had its token renewed. All attempts share it.
    pub(crate) token_renewed: Arc<AtomicBool>,
    pub(crate) reporter: Reporter,
}

/// Options that a caller gave to one call, an extension of the request until the channel takes them.
#[derive(Clone, Default)]
pub(crate) struct CallOptions {
    pub(crate) no_deadline: bool,
    pub(crate) no_retry: bool,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) cancellation: Option<NewCancellation>,
}

impl CallContext {
    /// The number of the call, unique in the program. Events of the call carry it
    /// ([`CallEvent::call`](crate::observe::CallEvent::call)).
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The method, when the channel's method table has it.
    pub fn method(&self) -> Option<Method> {
        self.method
    }

    /// The context of the request with these `extensions`. A request that came through no channel has the default.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }

    /// As [`of`](Self::of), to be changed.
    pub(crate) fn of_mut(extensions: &mut Extensions) -> &mut Self {
        extensions.get_or_insert_default()
    }

    /// Whether the response has exactly one message.
    pub(crate) fn expects_one_message(&self) -> bool {
        self.method.is_some_and(|method| !method.kind.server_streaming())
    }

    /// Whether a call that a server may have seen may be repeated.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.method.is_some_and(|method| method.idempotency != Idempotency::Unknown)
    }
}

impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext")
            .field("number", &self.number)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}
