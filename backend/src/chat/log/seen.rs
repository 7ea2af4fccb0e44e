//! The end of a log as one server of the chat has seen it, and the judgement of an answer that says less.

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

    /// The end that an answer has to know, to a question that is asked now.
    pub(super) fn end(&self) -> Position {
        self.end
    }

    pub(super) fn record(&mut self, position: Position) {
        self.end = self.end.max(position);
    }

    /// Judges the answer `end` to a question that was asked when [`Self::end`] was `expected`: entries may have come since. A leader
    /// that was deposed does not know the newest entries, and does not know that for some time; a log that has lost entries says so
    /// for longer.
    pub(super) fn judge(&mut self, expected: Position, end: Position) -> Result<Position, LogError> {
        if end >= expected {
            *self = Self { end: self.end.max(end), behind_since: None };
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
        assert!(matches!(seen.judge(7, 9), Ok(9)));
        assert!(matches!(seen.judge(9, 8), Err(LogError::Unanswered(_))), "a leader that was deposed");
        assert!(matches!(seen.judge(9, 9), Ok(9)));
        assert!(matches!(seen.judge(9, 8), Err(LogError::Unanswered(_))));
        let Some(long_ago) = Instant::now().checked_sub(STALE_LEADER) else { return };
        seen.behind_since = Some(long_ago);
        assert!(matches!(seen.judge(9, 8), Err(LogError::Replaced { .. })));
        assert!(matches!(seen.judge(9, 9), Ok(9)));
    }

    #[test]
    fn answer_need_not_know_what_came_after_the_question() {
        let mut seen = Seen::new(7);
        let expected = seen.end();
        seen.record(8);
        assert!(matches!(seen.judge(expected, 7), Ok(7)));
        assert!(seen.end() == 8 && seen.behind_since.is_none());
        assert!(matches!(seen.judge(seen.end(), 7), Err(LogError::Unanswered(_))));
    }
}
