//! The end of a log as one server has seen it, and the judgement of an answer that says less.

use std::time::{Duration, Instant};

use super::{LogError, Position, unanswered};

/// Time in which a leader that was deposed may still answer, and longer: a server learns after ten seconds that it has lost the
/// others.
const STALE_LEADER: Duration = Duration::from_secs(15);

/// The part of the log that one server has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The highest position that certainly was in the log.
    end: Position,
    /// Since when the servers say that the log ends before it.
    behind_since: Option<Instant>,
}

impl Seen {
    pub(super) fn new(end: Position) -> Self {
        Self { end, behind_since: None }
    }

    pub(super) fn record(&mut self, position: Position) {
        self.end = self.end.max(position);
    }

    /// Judges an answer about the log's end. A leader that was deposed does not know the newest entries, and does not know that
    /// for some time; a log that has lost entries says so for longer.
    pub(super) fn judge(&mut self, end: Position) -> Result<Position, LogError> {
        if end >= self.end {
            *self = Self { end, behind_since: None };
            return Ok(end);
        }
        let since = *self.behind_since.get_or_insert_with(Instant::now);
        if since.elapsed() < STALE_LEADER {
            return Err(unanswered("a server answered that does not know the newest entries"));
        }
        Err(LogError::Replaced { reason: "it ends before entries that this server has" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_before_a_known_entry_is_not_believed_until_it_lasts() {
        let mut seen = Seen::default();
        seen.record(7);
        assert!(matches!(seen.judge(9), Ok(9)));
        assert!(matches!(seen.judge(8), Err(LogError::Unanswered(_))), "a leader that was deposed");
        assert!(matches!(seen.judge(9), Ok(9)));
        assert!(matches!(seen.judge(8), Err(LogError::Unanswered(_))));
        let Some(long_ago) = Instant::now().checked_sub(STALE_LEADER) else { return };
        seen.behind_since = Some(long_ago);
        assert!(matches!(seen.judge(8), Err(LogError::Replaced { .. })));
        assert!(matches!(seen.judge(9), Ok(9)));
    }
}
