//! Periodic checks of a connection: stalls, idleness, and the drain at shutdown.

use std::time::Duration;

use tokio::time::Instant;

use super::activity::Activity;
use super::open_calls::STALLED_CHECKS;
use crate::budget::Peer;
use crate::options::ServeOptions;

/// Shortest interval between two checks, for a timeout near zero.
const MIN_STALL_INTERVAL: Duration = Duration::from_millis(1);

/// At shutdown: time for a connection without a call to close, and for each step of one that has made no request to be made.
/// HTTP/2 closes when its peer has answered a ping, HTTP/1.1 when a head that has begun is complete, and a new connection when its
/// first request is answered; a hostile peer does none of it.
pub(super) const IDLE_GRACE: Duration = Duration::from_millis(500);

/// Checks whether the client takes bytes.
#[derive(Debug)]
pub(super) struct StallWatch {
    /// Time of the next check.
    pub(super) next: Instant,
    period: Duration,
    /// Checks since the socket took some bytes.
    stalled: u32,
}

impl StallWatch {
    pub(super) fn new(options: &ServeOptions) -> Self {
        let period = (options.stall_timeout / STALLED_CHECKS).max(MIN_STALL_INTERVAL);
        Self { next: Instant::now() + period, period, stalled: 0 }
    }

    /// Ends stalled calls. `true` when the connection must be closed.
    pub(super) fn check(&mut self, activity: &Activity) -> bool {
        self.next = Instant::now() + self.period;
        let check = activity.calls.check_stalls();
        if check.ended > 0 {
            tracing::debug!(calls.ended = check.ended, "ended calls whose client takes no bytes");
        }
        self.stalled = if activity.take_stalled() { self.stalled + 1 } else { 0 };
        check.must_close || self.stalled >= STALLED_CHECKS
    }
}

/// At shutdown: checks whether a connection without calls must be closed because it does not close itself.
#[derive(Debug)]
pub(super) struct DrainWatch {
    /// Time of the next check.
    pub(super) next: Instant,
    /// The number of requests at the last check, if the connection was idle then.
    idle_since: Option<usize>,
}

impl DrainWatch {
    /// Two checks take [`IDLE_GRACE`].
    pub(super) fn new() -> Self {
        Self { next: Instant::now() + IDLE_GRACE / 2, idle_since: None }
    }

    /// Whether the connection was idle at two checks in a row, and in between. One check is not enough: the last call may have
    /// just ended, and its status may not be written yet.
    pub(super) fn check(&mut self, activity: &Activity, requests: usize) -> bool {
        self.next = Instant::now() + IDLE_GRACE / 2;
        let before = std::mem::replace(&mut self.idle_since, activity.is_idle().then_some(requests));
        before.is_some() && before == self.idle_since
    }
}

/// Checks whether a head of HTTP/1.1 takes too long, or the time between two requests.
#[derive(Debug)]
pub(super) struct Http1Watch {
    /// Time of the next check.
    pub(super) next: Instant,
    head_timeout: Duration,
    keep_alive: Duration,
}

impl Http1Watch {
    pub(super) fn new(options: &ServeOptions) -> Self {
        let (head_timeout, keep_alive) = (options.header_read_timeout, options.http1_keep_alive);
        Self { next: Instant::now() + head_timeout.min(keep_alive), head_timeout, keep_alive }
    }

    /// Whether the connection is to be closed.
    pub(super) fn check(&mut self, activity: &Activity, peer: &Peer) -> bool {
        let now = Instant::now();
        let deadline = match activity.head_began() {
            Some(began) => Some(began + self.head_timeout),
            // Before the first request other watches count.
            None if peer.requests() > 0 => peer.idle_since().map(|since| since + self.keep_alive),
            None => None,
        };
        let period = self.head_timeout.min(self.keep_alive).max(MIN_STALL_INTERVAL);
        self.next = deadline.map_or(now + period, |deadline| deadline.max(now).min(now + period));
        deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// Checks whether a connection is idle for too long.
#[derive(Debug)]
pub(super) struct IdleWatch {
    /// Time of the next check.
    pub(super) next: Instant,
    idle_timeout: Duration,
    is_first: bool,
    requests: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Active,
    /// Too few bytes came to tell the HTTP version.
    NoHttp,
    /// No call is open, and none has come since the last check.
    Idle,
}

impl IdleWatch {
    /// For a connection that was accepted at `accepted`, after `requests` that are not its own.
    pub(super) fn new(accepted: Instant, requests: usize, options: &ServeOptions) -> Self {
        Self {
            next: accepted + options.handshake_timeout,
            idle_timeout: options.idle_timeout,
            is_first: true,
            requests,
        }
    }

    pub(super) fn check(&mut self, activity: &Activity, peer: &Peer) -> Verdict {
        let requests = peer.requests();
        let is_idle = requests == self.requests && activity.calls.is_empty();
        let is_first = std::mem::replace(&mut self.is_first, false);
        self.requests = requests;
        self.next = Instant::now() + self.idle_timeout;
        match (is_first, is_idle) {
            (_, false) => Verdict::Active,
            (false, true) => Verdict::Idle,
            (true, true) if activity.speaks_http() => Verdict::Active,
            (true, true) => Verdict::NoHttp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::open_calls::tests::test_account;
    use super::*;

    #[tokio::test]
    async fn at_shutdown_a_connection_stays_open_just_after_its_last_call() {
        let activity = Activity::new(&ServeOptions::default(), false);
        let mut drain = DrainWatch::new();
        let call = activity.calls.begin(test_account());
        assert!(!drain.check(&activity, 1));
        drop(call);
        assert!(!drain.check(&activity, 1));
        // Another one has come and gone since then.
        assert!(!drain.check(&activity, 2));
        assert!(drain.check(&activity, 2));
    }
}
