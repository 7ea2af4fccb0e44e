//! The options of a subscription.

use std::time::Duration;

use crate::backoff::Backoff;

/// The options of a [`Subscription`](crate::Subscription), each with a default.
///
/// ```
/// use std::time::Duration;
///
/// use tonic_web_channel::SubscriptionOptions;
///
/// let options = SubscriptionOptions::new().idle_timeout(Duration::from_secs(70)).finish_on_ok(true);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct SubscriptionOptions {
    pub(super) backoff: Backoff,
    pub(super) idle_timeout: Duration,
    pub(super) first_message_timeout: Option<Duration>,
    pub(super) probe_timeout: Duration,
    pub(super) healthy_after: Duration,
    pub(super) non_grpc_timeout: Duration,
    pub(super) finish_on_ok: bool,
    pub(super) try_offline: bool,
}

impl Default for SubscriptionOptions {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            idle_timeout: Duration::from_secs(45),
            first_message_timeout: None,
            probe_timeout: Duration::from_secs(5),
            healthy_after: Duration::from_secs(10),
            non_grpc_timeout: Duration::MAX,
            finish_on_ok: false,
            try_offline: false,
        }
    }
}

impl SubscriptionOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The delays between attempts; [`Backoff::default`] by default.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The longest time without a message, or without the response's headers, before the connection counts as lost;
    /// 45 s by default. Choose a little more than two heartbeat intervals of the server. `Duration::MAX` for a server
    /// that sends no heartbeats.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// The longest time from the start of an attempt to its first message, for a server that greets at once. It finds
    /// a proxy that buffers, and a dead connection that the browser uses again. Doubles with each attempt in a row that
    /// exceeds it, up to the idle timeout, so that a slow network connects, too. The idle timeout by default.
    pub fn first_message_timeout(mut self, timeout: Duration) -> Self {
        self.first_message_timeout = Some(timeout);
        self
    }

    /// The time in which an open connection has to deliver a message after the network came back or the page woke up
    /// ([`SubscriptionHandle::wake`](crate::SubscriptionHandle::wake)); 5 s by default. Without a message the
    /// subscription reconnects.
    pub fn probe_timeout(mut self, timeout: Duration) -> Self {
        self.probe_timeout = timeout;
        self
    }

    /// The time that a connection must have been open for the backoff to start again from its shortest delay; 10 s by
    /// default. It keeps a server that accepts a stream and fails at once from being called without a pause.
    pub fn healthy_after(mut self, duration: Duration) -> Self {
        self.healthy_after = duration;
        self
    }

    /// How long the subscription keeps trying while all answers come from something other than a gRPC server
    /// ([`Error::is_not_grpc`](crate::Error::is_not_grpc)): a load balancer's 404 during a rollout, a sign-in page, a
    /// redirect. For ever by default. After this time the subscription ends with the status of the last attempt.
    pub fn non_grpc_timeout(mut self, timeout: Duration) -> Self {
        self.non_grpc_timeout = timeout;
        self
    }

    /// Whether the subscription ends when the server ends the stream with OK: then its last state is
    /// [`Shutdown`](crate::State::Shutdown) with the status OK. By default it does not, and calls the server again.
    pub fn finish_on_ok(mut self, finish: bool) -> Self {
        self.finish_on_ok = finish;
        self
    }

    /// Whether attempts are made although the browser reports that there is no network; false by default. Some browsers
    /// report that wrongly, for example behind virtual network adapters.
    pub fn try_offline(mut self, try_offline: bool) -> Self {
        self.try_offline = try_offline;
        self
    }
}
