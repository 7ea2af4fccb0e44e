//! The state of the connection and the content of its strip. Nothing is shown while the connection works, nor for the moment in which
//! a new one is made.

mod cause;
#[cfg(test)]
mod tests;

pub use self::cause::Cause;

/// Length of an interruption that is not shown, in milliseconds.
const GRACE_MS: f64 = 300.0;

/// The same for an attempt that may be slow and has not failed.
const CONNECTING_GRACE_MS: f64 = 1_000.0;

/// Age of an attempt without a message from which on the server is checked by a short call, in milliseconds.
const CHECK_AFTER_MS: f64 = 1_500.0;

/// The same after an attempt that nothing came of.
const CHECK_SILENCE_AFTER_MS: f64 = 250.0;

/// Time between the starts of two checks, in milliseconds. Shorter than a check may take: a browser gives a new call a kept connection,
/// which may be dead, while those before hold other dead ones.
const CHECK_INTERVAL_MS: f64 = 1_000.0;

/// Time from the answer to a check to the end of an attempt that is still without a message, in milliseconds. A proxy that holds the
/// stream back does not release it when it is mended: only a new attempt gets through. With the time of a check it is less than 5 s.
const HELD_BACK_AFTER_MS: f64 = 4_000.0;

/// The longest such time, in milliseconds. It doubles with each attempt in a row that is held back: some proxies keep the stream of an attempt
/// that has ended, and the server allows a person only so many.
const LONGEST_HELD_BACK_MS: f64 = 30_000.0;

/// The shortest such time for a slow network, as a multiple of the time that the check took: a new connection takes that long several times.
const HELD_BACK_AFTER_CHECKS: f64 = 4.0;

/// Shortest wait that is counted down, in milliseconds. Numbers that stand for a moment only distract.
const COUNTED_DOWN_FROM_MS: f64 = 3_000.0;

/// Difference between the ends of two waits that are the same one, in milliseconds, which tabs tell each other by their own clocks.
const SAME_WAIT_MS: f64 = 500.0;

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

impl Link {
    /// The numbers by which one tab tells another: the state, the cause, and the milliseconds left.
    pub fn to_numbers(self, now_ms: f64) -> [f64; 3] {
        match self {
            Link::Starting | Link::Connecting => [0.0, 0.0, 0.0],
            Link::CatchingUp => [1.0, 0.0, 0.0],
            Link::Idle | Link::Live => [2.0, 0.0, 0.0],
            Link::Waiting { until_ms, cause } => [3.0, cause.to_number(), until_ms - now_ms],
        }
    }

    /// Reads the numbers; each tab has a clock of its own.
    pub fn from_numbers([state, cause, left_ms]: [f64; 3], now_ms: f64) -> Link {
        match (state as u8, Cause::from_number(cause)) {
            (1, _) => Link::CatchingUp,
            (2, _) => Link::Live,
            (3, Some(cause)) => Link::Waiting { until_ms: now_ms + left_ms, cause },
            _ => Link::Connecting,
        }
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
    has_too_many_tabs: bool,
    check: Check,
    /// Attempts in a row that brought no message although the server answered a check.
    held_back: u32,
    /// Whether the wait for the next attempt is long enough to be counted down.
    is_counted_down: bool,
}

/// Checks of the server by short calls, while an attempt waits for its first message.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Check {
    /// Time of the next one; after an answer that of the attempt's end.
    due_ms: f64,
    /// Time of the first one since the attempt began.
    asked_ms: Option<f64>,
    /// Whether a check has failed since the attempt began.
    has_failed: bool,
    /// Whether the last one was answered since the attempt began.
    is_answered: bool,
}

/// A step that is due while an attempt waits for its first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Check by a short call whether the server answers.
    Check,
    /// Replace the attempt: short calls are answered, and the stream is not.
    Replacement,
}

/// The next attempt, in the strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// None is needed: the stream works, or its attempts are not the reason of the sentence.
    None,
    /// It runs, or follows soon.
    Soon,
    /// It follows after these seconds, rounded up.
    After(u64),
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
        /// The next attempt.
        retry: Retry,
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
            has_too_many_tabs: false,
            check: Check::default(),
            held_back: 0,
            is_counted_down: false,
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
        // An attempt that was replaced before anything came says nothing new.
        let is_replaced = self.link == Link::Connecting && self.cause == Some(Cause::StreamSilent);
        let before = std::mem::replace(&mut self.link, link);
        if before == Link::Connecting && matches!(link, Link::Waiting { .. }) {
            self.held_back = if self.check.is_answered { self.held_back.saturating_add(1) } else { 0 };
        }
        if let Link::Waiting { until_ms, cause } = &mut self.link {
            if (*cause == Cause::Silent && self.check.is_answered) || (*cause == Cause::Ended && is_replaced)
            {
                *cause = Cause::StreamSilent;
            }
            let is_same = matches!(before, Link::Waiting { until_ms: before_ms, .. }
                if (*until_ms - before_ms).abs() < SAME_WAIT_MS);
            if !is_same {
                self.is_counted_down = *until_ms - now_ms >= COUNTED_DOWN_FROM_MS;
            }
        }
        match self.link {
            Link::Starting => {}
            Link::Connecting => {
                let is_silent = matches!(self.cause, Some(Cause::Silent | Cause::StreamSilent));
                let after_ms = if is_silent { CHECK_SILENCE_AFTER_MS } else { CHECK_AFTER_MS };
                self.check = Check { due_ms: now_ms + after_ms, ..Check::default() };
            }
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

    /// Sets whether the browser has no connection left, because each tab has a stream.
    pub fn set_too_many_tabs(&mut self, too_many: bool) {
        self.has_too_many_tabs = too_many;
    }

    /// A frame of the stream came.
    pub fn heard(&mut self) {
        self.is_doubted = false;
        self.is_reachable = true;
        self.cause = None;
        self.held_back = 0;
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

    /// The step that has to be taken now, if any. Plans the next one.
    pub fn take_due(&mut self, now_ms: f64) -> Option<Due> {
        if self.link != Link::Connecting || now_ms < self.check.due_ms {
            return None;
        }
        if self.check.is_answered {
            self.cause = Some(Cause::StreamSilent);
            self.check.due_ms = now_ms + self.held_back_after_ms();
            return Some(Due::Replacement);
        }
        self.check.asked_ms.get_or_insert(now_ms);
        self.check.due_ms = now_ms + CHECK_INTERVAL_MS;
        Some(Due::Check)
    }

    /// A check ended: answered by the server, or failed by a cause. Returns whether the attempt has to start again: it
    /// began while the server did not answer, and its connection may stay dead.
    pub fn checked(&mut self, failure: Option<Cause>, now_ms: f64) -> bool {
        if self.link != Link::Connecting {
            return false;
        }
        let Some(cause) = failure else {
            self.call_answered();
            if !std::mem::replace(&mut self.check.is_answered, true) {
                let took_ms = now_ms - self.check.asked_ms.unwrap_or(now_ms);
                let after_ms = self.held_back_after_ms().max(took_ms * HELD_BACK_AFTER_CHECKS);
                self.check.due_ms = now_ms + after_ms;
            }
            return self.cause == Some(Cause::Silent) || std::mem::take(&mut self.check.has_failed);
        };
        // A check that began before one that was answered says nothing new.
        if !self.check.is_answered {
            self.is_reachable = false;
            self.cause = Some(cause);
            self.check.has_failed = true;
        }
        false
    }

    /// The strip at this time.
    pub fn strip(&self, catching_up: u64, now_ms: f64) -> Strip {
        let works = matches!(self.link, Link::Live | Link::Idle);
        if !self.online && (self.is_doubted || self.failure().is_some()) {
            return Strip::Offline;
        }
        if self.has_too_many_tabs {
            return Strip::Failing { cause: Cause::TooManyTabs, retry: Retry::None };
        }
        if works {
            return match self.call_cause {
                Some(cause) => Strip::Failing { cause, retry: Retry::None },
                None => Strip::Nothing,
            };
        }
        // The sentence of failing calls stays while a new stream is made.
        if self.call_cause.is_none() && self.grace_left_ms(now_ms) > 0.0 {
            return Strip::Nothing;
        }
        match (self.link, self.failure()) {
            (Link::CatchingUp, _) if catching_up > 0 => Strip::CatchingUp(catching_up),
            (Link::Waiting { until_ms, cause }, _) => {
                let left = ((until_ms - now_ms) / 1_000.0).ceil();
                let is_counted_down = self.is_counted_down && left >= 1.0;
                let retry = if is_counted_down { Retry::After(left as u64) } else { Retry::Soon };
                Strip::Failing { cause, retry }
            }
            (_, Some(cause)) => Strip::Failing { cause, retry: Retry::Soon },
            _ => Strip::Connecting,
        }
    }

    /// Milliseconds until something changes with time alone: the strip, or a step that is due; `None` when nothing does.
    pub fn changes_in_ms(&self, now_ms: f64) -> Option<f64> {
        let grace = Some(self.grace_left_ms(now_ms)).filter(|left| *left > 0.0);
        let next = match self.link {
            Link::Waiting { until_ms, .. } if self.is_counted_down && until_ms > now_ms => {
                let left_ms = until_ms - now_ms;
                // Not by the remainder of floating-point numbers, which is a function of its own.
                let part = left_ms - (left_ms / 1_000.0).floor() * 1_000.0;
                Some(if part < 1.0 { 1_000.0 } else { part })
            }
            Link::Connecting => Some((self.check.due_ms - now_ms).max(1.0)),
            _ => None,
        };
        [grace, next].into_iter().flatten().min_by(f64::total_cmp)
    }

    /// Time from the answer to a check to the end of the attempt.
    fn held_back_after_ms(&self) -> f64 {
        // The first one only tells that there is such a proxy; after three doublings the limit is reached.
        let doublings = self.held_back.saturating_sub(1).min(3);
        (HELD_BACK_AFTER_MS * f64::from(1_u32 << doublings)).min(LONGEST_HELD_BACK_MS)
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
