//! The chat's clock: what time it is for events and sessions.
//!
//! It is the system's clock, as long as that one does not jump. A step of more than [`STEP`], forward or back, is not
//! followed until it has lasted for [`BELIEF`]; until then the chat's clock counts on by itself. So a clock that is
//! wrong for some minutes dates no message and ends no session.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The largest step of the system's clock that is followed at once. NTP's corrections are far smaller.
pub const STEP: Duration = Duration::from_secs(5 * 60);

/// How long a larger step has to last until it is believed.
pub const BELIEF: Duration = Duration::from_secs(60 * 60);

/// What the system's clocks say at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time of day: milliseconds since 1970-01-01T00:00:00Z.
    pub wall_ms: i64,
    /// The time since some moment, counted by a clock that nobody sets.
    pub running: Duration,
}

/// The chat's clock. Clones are the same clock.
#[derive(Clone)]
pub struct Clock {
    read: Arc<dyn Fn() -> Reading + Send + Sync>,
    /// When it was made, by the clock that nobody sets.
    made: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// What the chat's clock said at the last look, and when that was.
    last: Reading,
    /// The step that is not believed yet, milliseconds, and when it was first seen.
    step: Option<(i64, Duration)>,
}

/// What a look at the system's clock brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Nothing,
    Stepped(i64),
    Believed(i64),
}

impl Clock {
    /// A clock that asks `read`.
    pub fn new(read: impl Fn() -> Reading + Send + Sync + 'static) -> Self {
        let state = State { last: read(), step: None };
        let made = state.last.running;
        Self { read: Arc::new(read), made, state: Arc::new(Mutex::new(state)) }
    }

    /// Whether it has run for long enough to be believed: a machine may start with a wrong time of day.
    pub(super) fn is_settled(&self) -> bool {
        (self.read)().running.saturating_sub(self.made) >= BELIEF
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(super) fn now_ms(&self) -> i64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let event = state.advance((self.read)());
        let now = state.last.wall_ms;
        drop(state);
        match event {
            Event::Nothing => {}
            Event::Stepped(step_ms) => tracing::warn!(
                clock.step_ms = step_ms,
                "the system's clock has jumped: until it has stayed there for an hour the chat counts on by itself"
            ),
            Event::Believed(step_ms) => tracing::warn!(
                clock.step_ms = step_ms,
                "the chat follows the jump of the system's clock, which has lasted for an hour"
            ),
        }
        now
    }
}

impl State {
    fn advance(&mut self, now: Reading) -> Event {
        let passed = now.running.saturating_sub(self.last.running);
        let expected = self.last.wall_ms.saturating_add(millis(passed));
        let ahead = now.wall_ms.saturating_sub(expected);
        let is_step = |ms: i64| ms.unsigned_abs() > millis(STEP).unsigned_abs();
        if !is_step(ahead) {
            *self = Self { last: now, step: None };
            return Event::Nothing;
        }
        let seen = self.step.filter(|(step, _)| !is_step(ahead.saturating_sub(*step)));
        if seen.is_some_and(|(_, since)| now.running.saturating_sub(since) >= BELIEF) {
            *self = Self { last: now, step: None };
            return Event::Believed(ahead);
        }
        self.last = Reading { wall_ms: expected, running: now.running };
        match seen {
            Some(_) => Event::Nothing,
            None => {
                self.step = Some((ahead, now.running));
                Event::Stepped(ahead)
            }
        }
    }
}

impl Default for Clock {
    /// The system's clock.
    fn default() -> Self {
        Self::new(|| Reading { wall_ms: wall_ms(), running: running() })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("state", &self.state).finish_non_exhaustive()
    }
}

/// The system's time of day.
pub(super) fn wall_ms() -> i64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Counts while the machine sleeps, too: the time of day goes on there.
#[cfg(target_os = "linux")]
fn running() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

/// Here the clock may stand still while the machine sleeps; waking up is then a step that is believed later.
#[cfg(not(target_os = "linux"))]
fn running() -> Duration {
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
        Reading { wall_ms, running: Duration::from_secs(seconds) }
    }

    fn start() -> State {
        State { last: reading(START_MS, 100), step: None }
    }

    #[test]
    fn small_steps_are_followed_at_once() {
        let mut state = start();
        for (seconds, step_ms) in [(1, 0), (2, 250), (3, -400), (4, 299_000), (5, 0)] {
            let wall = START_MS + seconds * 1_000 + step_ms;
            assert_eq!(state.advance(reading(wall, 100 + seconds as u64)), Event::Nothing);
            assert_eq!(state.last.wall_ms, wall);
        }
    }

    #[test]
    fn a_jump_that_is_undone_within_the_hour_never_shows() {
        for jump in [80 * DAY_MS, -80 * DAY_MS] {
            let mut state = start();
            let mut warnings = 0;
            for minute in 1..=70 {
                let true_ms = START_MS + minute * 60_000;
                let wall = if (5..60).contains(&minute) { true_ms + jump } else { true_ms };
                warnings +=
                    u32::from(state.advance(reading(wall, 100 + minute as u64 * 60)) != Event::Nothing);
                assert_eq!(state.last.wall_ms, true_ms, "minute {minute}");
            }
            assert_eq!(warnings, 1);
        }
    }

    #[test]
    fn a_jump_that_lasts_is_followed_after_an_hour() {
        for jump in [3 * DAY_MS, -3 * DAY_MS] {
            let mut state = start();
            let mut events = Vec::new();
            for minute in 1..=65 {
                let wall = START_MS + minute * 60_000 + jump;
                events.push(state.advance(reading(wall, 100 + minute as u64 * 60)));
            }
            events.retain(|event| *event != Event::Nothing);
            assert_eq!(events, [Event::Stepped(jump), Event::Believed(jump)]);
            assert_eq!(state.last.wall_ms, START_MS + 65 * 60_000 + jump);
        }
    }

    #[test]
    fn a_clock_that_jumps_about_is_believed_when_it_has_settled() {
        let mut state = start();
        for minute in 1..=300 {
            let jump = DAY_MS * (1 + minute / 50);
            state.advance(reading(START_MS + minute * 60_000 + jump, 100 + minute as u64 * 60));
            assert_eq!(state.last.wall_ms, START_MS + minute * 60_000);
        }
    }
}
