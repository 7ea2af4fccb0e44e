//! What the operator is told about limits that were reached: a warning a minute for each of them, and none
//! while nothing is refused.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often a limit is reported at most.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// A limit that can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Connections,
    ConnectionsPerAddress,
    Calls,
    CallsPerAddress,
    BufferedBytes,
    BufferedBytesPerAddress,
    BufferedBytesPerConnection,
}

impl Limit {
    pub(super) const ALL: [Self; 7] = [
        Self::Connections,
        Self::ConnectionsPerAddress,
        Self::Calls,
        Self::CallsPerAddress,
        Self::BufferedBytes,
        Self::BufferedBytesPerAddress,
        Self::BufferedBytesPerConnection,
    ];
}

/// What became of those who reached a limit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// A new connection or call was refused.
    Refused,
    /// A connection without an open call was closed to make room.
    ClosedIdle,
    /// A connection with open calls was closed to make room.
    ClosedBusy,
    /// An answer had to wait.
    Waited,
}

/// What has happened since the last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) refused: u64,
    pub(super) closed_idle: u64,
    pub(super) closed_busy: u64,
    pub(super) waited: u64,
}

#[derive(Debug, Default)]
struct Pending {
    tally: Tally,
    /// No report before this.
    quiet_until: Option<Instant>,
}

/// Counts, and says when it is time for a report.
#[derive(Debug, Default)]
pub(super) struct Reports([Mutex<Pending>; Limit::ALL.len()]);

impl Reports {
    /// Counts. `Some`: it is time to report this.
    pub(super) fn count(&self, limit: Limit, outcome: Outcome) -> Option<Tally> {
        self.change(limit, |tally| {
            let counter = match outcome {
                Outcome::Refused => &mut tally.refused,
                Outcome::ClosedIdle => &mut tally.closed_idle,
                Outcome::ClosedBusy => &mut tally.closed_busy,
                Outcome::Waited => &mut tally.waited,
            };
            *counter += 1;
        })
    }

    /// `Some`: there is something that has waited for its report for long enough.
    pub(super) fn due(&self, limit: Limit) -> Option<Tally> {
        self.change(limit, |_| {})
    }

    fn change(&self, limit: Limit, change: impl FnOnce(&mut Tally)) -> Option<Tally> {
        let mut pending = self.0[limit as usize].lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut pending.tally);
        let now = Instant::now();
        if pending.tally == Tally::default() || pending.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        pending.quiet_until = Some(now + REPORT_INTERVAL);
        Some(std::mem::take(&mut pending.tally))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_reported_at_once_and_then_once_a_minute_with_what_came_meanwhile() {
        let reports = Reports::default();
        assert_eq!(reports.due(Limit::Calls), None);
        let one = Tally { refused: 1, ..Tally::default() };
        assert_eq!(reports.count(Limit::Calls, Outcome::Refused), Some(one));
        for _ in 0..3 {
            assert_eq!(reports.count(Limit::Calls, Outcome::Refused), None);
        }
        // Another limit has a minute of its own.
        assert_eq!(reports.count(Limit::Connections, Outcome::Refused), Some(one));

        tokio::time::advance(REPORT_INTERVAL).await;
        assert_eq!(reports.due(Limit::Calls), Some(Tally { refused: 3, ..Tally::default() }));
        tokio::time::advance(REPORT_INTERVAL).await;
        assert_eq!(reports.due(Limit::Calls), None);
    }
}
