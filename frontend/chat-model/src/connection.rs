//! The state of the connection and the content of its strip. Nothing is shown while the connection works, nor for the moment in which
//! a new one is made.

#[cfg(test)]
mod tests;

/// Length of an interruption that is not shown, in milliseconds.
const GRACE_MS: f64 = 300.0;

/// The same for an attempt that may be slow and has not failed.
const CONNECTING_GRACE_MS: f64 = 1_000.0;

/// Age of an attempt without a message from which on the server is checked by a short call, in milliseconds.
const CHECK_AFTER_MS: f64 = 1_500.0;

/// Time between the starts of two checks, in milliseconds, and after one that was answered.
const CHECK_INTERVAL_MS: f64 = 2_000.0;
const ANSWERED_CHECK_INTERVAL_MS: f64 = 4_000.0;

/// The state of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Link {
    /// It is not known yet whether there is a session.
    #[default]
    Starting,
    /// No stream is wanted, because nobody is signed in.
    Idle,
    /// A call was started; the first frame is awaited.
    Connecting,
    /// Missed events arrive.
    CatchingUp,
    /// Every room is at its head.
    Live,
    /// Waits for the next attempt.
    Waiting {
        /// Time of the attempt, by the page's monotonic clock, in milliseconds.
        until_ms: f64,
        /// Why the last attempt ended.
        cause: Cause,
    },
}

/// Why a call or the stream failed, other than by a verdict of the server on its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The stream ended.
    Ended,
    /// No connection could be made, or it broke.
    Unreachable,
    /// Nothing came in time.
    Silent,
    /// Short calls are answered, but nothing of the stream came in time.
    StreamSilent,
    /// Something other than the server answered with this HTTP status.
    Http(u16),
    /// Something other than the server answered with a web page or the like.
    WebPage,
    /// The answer was cut off or is not valid.
    Broken,
    /// The server asks to come back later.
    Busy,
    /// The user has as many streams open as allowed.
    TooManyStreams,
}

impl Cause {
    /// Whether calls other than the stream are likely to succeed.
    fn allows_calls(self) -> bool {
        matches!(self, Cause::StreamSilent | Cause::Busy | Cause::TooManyStreams)
    }
}

/// The connection: the stream, the calls, and the browser's report of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    link: Link,
    /// The browser's report.
    online: bool,
    /// Whether nothing came from the server since the browser reported the loss of the network.
    is_doubted: bool,
    interrupted_since_ms: Option<f64>,
    /// Why the stream was interrupted.
    cause: Option<Cause>,
    /// Why calls fail while the stream works.
    call_cause: Option<Cause>,
    /// Whether a call is likely to reach the server.
    is_reachable: bool,
    check: Check,
}

/// Checks of the server by short calls, while an attempt waits for its first message.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Check {
    due_ms: f64,
    started_ms: f64,
    is_running: bool,
    /// Whether a check has failed since the attempt began.
    has_failed: bool,
    /// Whether the last one was answered since the attempt began.
    is_answered: bool,
}

/// The content of the connection strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strip {
    /// The connection works.
    Nothing,
    /// A call is starting.
    Connecting,
    /// The browser reports that there is no network, and nothing contradicts it.
    Offline,
    /// Number of missed events that are still to come.
    CatchingUp(u64),
    /// Calls or the stream fail.
    Failing {
        /// The reason.
        cause: Cause,
        /// Seconds until the next attempt, rounded up; `None` while one runs.
        seconds: Option<u64>,
    },
}

impl Connection {
    /// A connection whose first call starts now.
    pub fn new(online: bool, now_ms: f64) -> Connection {
        let mut connection = Connection {
            link: Link::Idle,
            online,
            is_doubted: !online,
            interrupted_since_ms: None,
            cause: None,
            call_cause: None,
            is_reachable: true,
            check: Check::default(),
        };
        connection.set_link(Link::Starting, now_ms);
        connection
    }

    /// The state of the stream.
    pub fn link(&self) -> Link {
        self.link
    }

    /// Sets the state of the stream.
    pub fn set_link(&mut self, link: Link, now_ms: f64) {
        self.link = match link {
            Link::Waiting { until_ms, cause: Cause::Silent } if self.check.is_answered => {
                Link::Waiting { until_ms, cause: Cause::StreamSilent }
            }
            link => link,
        };
        match self.link {
            Link::Starting => {}
            Link::Connecting => self.check = Check { due_ms: now_ms + CHECK_AFTER_MS, ..Check::default() },
            Link::CatchingUp => self.heard(),
            Link::Live | Link::Idle => {
                self.cause = None;
                self.call_cause = None;
                self.is_reachable = true;
            }
            Link::Waiting { cause, .. } => {
                self.cause = Some(cause);
                self.is_reachable = cause.allows_calls();
            }
        }
        if matches!(self.link, Link::Live | Link::Idle) {
            self.interrupted_since_ms = None;
        } else if self.interrupted_since_ms.is_none() {
            self.interrupted_since_ms = Some(now_ms);
        }
    }

    /// Nothing came in time, and the attempt goes on.
    pub fn attempt_is_silent(&mut self) {
        self.cause = Some(Cause::Silent);
    }

    /// Sets the browser's report of the network.
    pub fn set_online(&mut self, online: bool) {
        self.is_doubted = !online && (self.is_doubted || self.online);
        self.online = online;
    }

    /// A frame of the stream came.
    pub fn heard(&mut self) {
        self.is_doubted = false;
        self.is_reachable = true;
        self.cause = None;
    }

    /// A gRPC server answered a call, whatever it said.
    pub fn call_answered(&mut self) {
        self.is_doubted = false;
        self.is_reachable = true;
        self.call_cause = None;
    }

    /// A call failed without the server's verdict.
    pub fn call_failed(&mut self, cause: Cause) {
        self.call_cause = Some(cause);
    }

    /// A person asked for an attempt: calls are made, whatever is known.
    pub fn retry_now(&mut self) {
        self.is_reachable = true;
    }

    /// Whether calls are likely to reach the server.
    pub fn can_send(&self) -> bool {
        self.is_reachable
    }

    /// Whether the server has to be checked now. Marks the check as running.
    pub fn take_check(&mut self, now_ms: f64) -> bool {
        let is_due = self.link == Link::Connecting && !self.check.is_running && now_ms >= self.check.due_ms;
        if is_due {
            self.check.is_running = true;
            self.check.started_ms = now_ms;
        }
        is_due
    }

    /// A check ended: answered by the server, or failed by a cause. Returns whether the attempt has to start again: it
    /// began while the server did not answer, and its connection may stay dead.
    pub fn checked(&mut self, failure: Option<Cause>, now_ms: f64) -> bool {
        // A check of an earlier attempt leaves the new one's plan alone.
        let is_current = std::mem::take(&mut self.check.is_running);
        if self.link != Link::Connecting {
            return false;
        }
        match failure {
            None => {
                self.call_answered();
                let restart = std::mem::take(&mut self.check.has_failed);
                self.check.is_answered = true;
                self.check.due_ms = now_ms + ANSWERED_CHECK_INTERVAL_MS;
                restart
            }
            Some(cause) => {
                self.is_reachable = false;
                self.cause = Some(cause);
                self.check.has_failed |= is_current;
                self.check.is_answered = false;
                self.check.due_ms = now_ms.max(self.check.started_ms + CHECK_INTERVAL_MS);
                false
            }
        }
    }

    /// The strip at this time.
    pub fn strip(&self, catching_up: u64, now_ms: f64) -> Strip {
        let works = matches!(self.link, Link::Live | Link::Idle);
        if !self.online && (self.is_doubted || self.failure().is_some()) {
            return Strip::Offline;
        }
        if works {
            return match self.call_cause {
                Some(cause) => Strip::Failing { cause, seconds: None },
                None => Strip::Nothing,
            };
        }
        if self.grace_left_ms(now_ms) > 0.0 {
            return Strip::Nothing;
        }
        match (self.link, self.failure()) {
            (Link::CatchingUp, _) if catching_up > 0 => Strip::CatchingUp(catching_up),
            (Link::Waiting { until_ms, cause }, _) => Strip::Failing {
                cause,
                // After the wait comes an attempt.
                seconds: Some(((until_ms - now_ms) / 1_000.0).ceil()).filter(|left| *left >= 1.0).map(|left| left as u64),
            },
            (_, Some(cause)) if cause != Cause::Ended => Strip::Failing { cause, seconds: None },
            _ => Strip::Connecting,
        }
    }

    /// Milliseconds until something changes with time alone: the strip, or a check that is due; `None` when nothing does.
    pub fn changes_in_ms(&self, now_ms: f64) -> Option<f64> {
        let grace = Some(self.grace_left_ms(now_ms)).filter(|left| *left > 0.0);
        let next = match self.link {
            Link::Waiting { until_ms, .. } if until_ms > now_ms => {
                let part = (until_ms - now_ms) % 1_000.0;
                Some(if part < 1.0 { 1_000.0 } else { part })
            }
            Link::Connecting if !self.check.is_running => Some((self.check.due_ms - now_ms).max(1.0)),
            _ => None,
        };
        [grace, next].into_iter().flatten().min_by(f64::total_cmp)
    }

    fn failure(&self) -> Option<Cause> {
        self.cause.or(self.call_cause)
    }

    fn grace_left_ms(&self, now_ms: f64) -> f64 {
        // A silent connection was replaced at once, so it was an attempt like the first.
        let is_attempt = matches!(self.failure(), None | Some(Cause::Silent));
        let grace = if is_attempt { CONNECTING_GRACE_MS } else { GRACE_MS };
        self.interrupted_since_ms.map_or(0.0, |since| since + grace - now_ms)
    }
}
