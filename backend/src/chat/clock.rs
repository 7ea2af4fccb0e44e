//! The chat's clock, which dates events and sessions.
//!
//! It follows the system's clock unless that one jumps. A step of more than [`MAX_STEP`] in either direction is not followed
//! until it has lasted for [`STEP_CONFIRMATION`]; until then the chat's clock advances on its own. So a system clock that is
//! wrong for some minutes affects neither messages nor sessions.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// Largest step of the system's clock that is followed at once. NTP's corrections are far smaller.
pub const MAX_STEP: Duration = Duration::from_secs(5 * 60);

/// Time that a larger step has to last before it is followed.
pub const STEP_CONFIRMATION: Duration = Duration::from_secs(60 * 60);

/// A reading of the system's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Time of day, milliseconds since 1970-01-01T00:00:00Z.
    pub wall_ms: i64,
    /// Monotonic time since some fixed moment.
    pub monotonic: Duration,
}

/// The chat's clock. Clones share their state.
#[derive(Clone)]
pub struct Clock {
    read: Arc<dyn Fn() -> Reading + Send + Sync>,
    /// Monotonic time of its creation.
    created: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// The last reading, with the chat's own time of day.
    last: Reading,
    /// A step that is not confirmed yet, milliseconds, and the monotonic time of its detection.
    step: Option<(i64, Duration)>,
}

/// Result of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StepEvent {
    Nothing,
    Stepped(i64),
    Confirmed(i64),
}

impl Clock {
    /// A clock that takes its readings from `read`.
    pub fn new(read: impl Fn() -> Reading + Send + Sync + 'static) -> Self {
        let state = State { last: read(), step: None };
        let created = state.last.monotonic;
        Self { read: Arc::new(read), created, state: Arc::new(Mutex::new(state)) }
    }

    /// Whether it has run for [`STEP_CONFIRMATION`]: a machine may start with a wrong time of day.
    pub(super) fn is_settled(&self) -> bool {
        (self.read)().monotonic.saturating_sub(self.created) >= STEP_CONFIRMATION
    }

    /// The time of day, milliseconds since 1970-01-01T00:00:00Z.
    pub(super) fn now_ms(&self) -> i64 {
        let mut state = self.state.lock();
        let event = state.advance((self.read)());
        let now = state.last.wall_ms;
        drop(state);
        match event {
            StepEvent::Nothing => {}
            StepEvent::Stepped(step_ms) => tracing::warn!(
                clock.step_ms = step_ms,
                "the system's clock has jumped: the chat's clock does not follow until the jump has lasted for an hour"
            ),
            StepEvent::Confirmed(step_ms) => tracing::warn!(
                clock.step_ms = step_ms,
                "the chat's clock follows a jump of the system's clock that has lasted for an hour"
            ),
        }
        now
    }
}

impl State {
    fn advance(&mut self, now: Reading) -> StepEvent {
        let passed = now.monotonic.saturating_sub(self.last.monotonic);
        let expected = self.last.wall_ms.saturating_add(millis(passed));
        let ahead = now.wall_ms.saturating_sub(expected);
        let is_step = |ms: i64| ms.unsigned_abs() > millis(MAX_STEP).unsigned_abs();
        if !is_step(ahead) {
            *self = Self { last: now, step: None };
            return StepEvent::Nothing;
        }
        let seen = self.step.filter(|(step, _)| !is_step(ahead.saturating_sub(*step)));
        if seen.is_some_and(|(_, since)| now.monotonic.saturating_sub(since) >= STEP_CONFIRMATION) {
            *self = Self { last: now, step: None };
            return StepEvent::Confirmed(ahead);
        }
        self.last = Reading { wall_ms: expected, monotonic: now.monotonic };
        match seen {
            Some(_) => StepEvent::Nothing,
            None => {
                self.step = Some((ahead, now.monotonic));
                StepEvent::Stepped(ahead)
            }
        }
    }
}

impl Default for Clock {
    /// A clock that follows the system's clock.
    fn default() -> Self {
        Self::new(|| Reading { wall_ms: wall_ms(), monotonic: monotonic() })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("state", &self.state).finish_non_exhaustive()
    }
}

/// The system's time of day, milliseconds since 1970-01-01T00:00:00Z.
pub(super) fn wall_ms() -> i64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Includes the time that the machine was suspended.
#[cfg(target_os = "linux")]
fn monotonic() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

/// May exclude the time that the machine was suspended; waking up is then a step, which is followed later.
#[cfg(not(target_os = "linux"))]
fn monotonic() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    const START_MS: i64 = 1_700_000_000_000;

    fn reading(wall_ms: i64, seconds: u64) -> Reading {
        Reading { wall_ms, monotonic: Duration::from_secs(seconds) }
    }

    fn start() -> State {
        State { last: reading(START_MS, 100), step: None }
    }

    #[test]
    fn small_steps_are_followed_at_once() {
        let mut state = start();
        for (seconds, step_ms) in [(1, 0), (2, 250), (3, -400), (4, 299_000), (5, 0)] {
            let wall = START_MS + seconds * 1_000 + step_ms;
            assert_eq!(state.advance(reading(wall, 100 + seconds as u64)), StepEvent::Nothing);
            assert_eq!(state.last.wall_ms, wall);
        }
    }

    #[test]
    fn jump_that_is_reverted_within_an_hour_is_never_followed() {
        for jump in [80 * DAY_MS, -80 * DAY_MS] {
            let mut state = start();
            let mut warnings = 0;
            for minute in 1..=70 {
                let true_ms = START_MS + minute * 60_000;
                let wall = if (5..60).contains(&minute) { true_ms + jump } else { true_ms };
                warnings +=
                    u32::from(state.advance(reading(wall, 100 + minute as u64 * 60)) != StepEvent::Nothing);
                assert_eq!(state.last.wall_ms, true_ms, "minute {minute}");
            }
            assert_eq!(warnings, 1);
        }
    }

    #[test]
    fn jump_that_lasts_is_followed_after_an_hour() {
        for jump in [3 * DAY_MS, -3 * DAY_MS] {
            let mut state = start();
            let mut events = Vec::new();
            for minute in 1..=65 {
                let wall = START_MS + minute * 60_000 + jump;
                events.push(state.advance(reading(wall, 100 + minute as u64 * 60)));
            }
            events.retain(|event| *event != StepEvent::Nothing);
            assert_eq!(events, [StepEvent::Stepped(jump), StepEvent::Confirmed(jump)]);
            assert_eq!(state.last.wall_ms, START_MS + 65 * 60_000 + jump);
        }
    }

    #[test]
    fn repeated_jumps_are_not_followed_until_one_lasts() {
        let mut state = start();
        for minute in 1..=300 {
            let jump = DAY_MS * (1 + minute / 50);
            state.advance(reading(START_MS + minute * 60_000 + jump, 100 + minute as u64 * 60));
            assert_eq!(state.last.wall_ms, START_MS + minute * 60_000);
        }
    }
}
