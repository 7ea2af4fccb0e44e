//! Warnings about limits that were reached: one per limit and minute, and none while nothing happens.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::observer::{Limit, LimitOutcome};

/// Shortest interval between two reports of a limit.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Events since the last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) refused: u64,
    pub(super) closed_idle: u64,
    pub(super) closed_busy: u64,
    pub(super) waited: u64,
}

#[derive(Debug, Default)]
struct Pending {
    counts: Counts,
    /// Time of the next report at the earliest.
    quiet_until: Option<Instant>,
}

/// Counts events and decides when a report is due.
#[derive(Debug, Default)]
pub(super) struct Reports([Mutex<Pending>; Limit::ALL.len()]);

impl Reports {
    /// Counts an event. `Some` when a report is due.
    pub(super) fn count(&self, limit: Limit, outcome: LimitOutcome) -> Option<Counts> {
        self.change(limit, |counts| {
            let counter = match outcome {
                LimitOutcome::Refused => &mut counts.refused,
                LimitOutcome::ClosedIdle => &mut counts.closed_idle,
                LimitOutcome::ClosedBusy => &mut counts.closed_busy,
                LimitOutcome::Waited => &mut counts.waited,
            };
            *counter += 1;
        })
    }

    /// `Some` when there are events whose report is due.
    pub(super) fn due(&self, limit: Limit) -> Option<Counts> {
        self.change(limit, |_| {})
    }

    fn change(&self, limit: Limit, change: impl FnOnce(&mut Counts)) -> Option<Counts> {
        let mut pending = self.0[limit as usize].lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut pending.counts);
        let now = Instant::now();
        if pending.counts == Counts::default() || pending.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        pending.quiet_until = Some(now + REPORT_INTERVAL);
        Some(std::mem::take(&mut pending.counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_reported_at_once_and_then_once_a_minute() {
        let reports = Reports::default();
        assert_eq!(reports.due(Limit::Calls), None);
        let one = Counts { refused: 1, ..Counts::default() };
        assert_eq!(reports.count(Limit::Calls, LimitOutcome::Refused), Some(one));
        for _ in 0..3 {
            assert_eq!(reports.count(Limit::Calls, LimitOutcome::Refused), None);
        }
        // Limits are reported independently.
        assert_eq!(reports.count(Limit::Connections, LimitOutcome::Refused), Some(one));

        tokio::time::advance(REPORT_INTERVAL).await;
        assert_eq!(reports.due(Limit::Calls), Some(Counts { refused: 3, ..Counts::default() }));
        tokio::time::advance(REPORT_INTERVAL).await;
        assert_eq!(reports.due(Limit::Calls), None);
    }
}
