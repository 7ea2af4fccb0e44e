//! Whether this node has everything that the log has.
//!
//! A node answers yes from its own database, and no only when it is current: another node may have just made the room, or the
//! session, that this one does not know. Without a log a node is always current.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{self, watch};
use tokio::time::{sleep_until, timeout};

use super::error::ChatError;
use super::log::{Log, LogError, Position};
use crate::error_chain::ErrorChain;

/// Longest wait until the database has everything that the log had at the beginning of the wait.
const CURRENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval between two entries that only confirm the log's end: whoever asks for what does not exist must not make the log long.
const CONFIRM_INTERVAL: Duration = Duration::from_millis(100);

/// Time without an answer of the log after which it counts as silent.
const SILENCE: Duration = Duration::from_secs(5);

/// Time since the database was current after which the node is not ready. While a log elects another leader, all nodes have to stay
/// ready: they can be read.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// How far a server has followed the log that it shares with others.
#[derive(Clone, Copy, Debug)]
pub struct LogState {
    /// The last entry that the database has.
    pub applied: Position,
    /// The last entry of the log, as far as this server knows.
    pub end: Position,
    /// Time since the database had everything that the log had.
    pub outdated: Duration,
}

impl LogState {
    /// Entries that the database does not have yet.
    pub fn lag(&self) -> u64 {
        self.end.saturating_sub(self.applied)
    }
}

/// The log and how far it was applied.
#[derive(Debug)]
pub(super) struct Current {
    log: Option<Arc<dyn Log>>,
    applied: watch::Sender<Position>,
    contact: Mutex<Contact>,
    /// Number of questions for the log's end that callers have begun.
    asked: AtomicU64,
    /// Held during a question.
    answer: sync::Mutex<Answer>,
}

/// The newest question for the log's end, and its answer if there was one.
#[derive(Debug)]
struct Answer {
    question: u64,
    end: Option<Position>,
    /// The earliest time for the next entry that only confirms the end.
    confirm_at: Instant,
}

/// The things that are known of the log.
#[derive(Debug)]
struct Contact {
    /// Time of its last answer.
    heard: Instant,
    end: Position,
    /// Time at which the log had nothing that the database does not have now.
    current_at: Instant,
    /// Time and answer of an earlier question, until the database has everything up to there.
    awaited: Option<(Instant, Position)>,
    /// Whether its silence was logged.
    is_silence_logged: bool,
}

impl Contact {
    fn heard(&mut self) {
        self.heard = Instant::now();
        if std::mem::take(&mut self.is_silence_logged) {
            tracing::info!("the log that the servers share answers again");
        }
    }
}

impl Current {
    pub(super) fn new(log: Option<Arc<dyn Log>>) -> Self {
        let now = Instant::now();
        let contact =
            Contact { heard: now, end: 0, current_at: now, awaited: None, is_silence_logged: false };
        let (applied, contact) = (watch::Sender::new(0), Mutex::new(contact));
        let answer = sync::Mutex::new(Answer { question: 0, end: None, confirm_at: now });
        Self { log, applied, contact, asked: AtomicU64::new(0), answer }
    }

    /// Whether other nodes write, too.
    pub(super) fn is_shared(&self) -> bool {
        self.log.is_some()
    }

    /// Called by the writer when the database has the entry `applied`, and the memory its effects.
    pub(super) fn advance(&self, applied: Position) {
        let mut contact = self.contact.lock();
        contact.heard();
        contact.end = contact.end.max(applied);
        if let Some((asked, end)) = contact.awaited
            && end <= applied
        {
            (contact.current_at, contact.awaited) = (asked, None);
        }
        drop(contact);
        self.applied.send_replace(applied);
    }

    /// The log has answered that it ended at `end`, some time after `asked`.
    pub(super) fn answered(&self, asked: Instant, end: Position) {
        let applied = self.applied();
        let mut contact = self.contact.lock();
        contact.heard();
        contact.end = contact.end.max(end);
        if end <= applied {
            (contact.current_at, contact.awaited) = (contact.current_at.max(asked), None);
        } else if contact.awaited.is_none() {
            contact.awaited = Some((asked, end));
        }
    }

    /// The log has not answered.
    pub(super) fn unanswered(&self, error: &LogError) {
        let mut contact = self.contact.lock();
        if contact.heard.elapsed() >= SILENCE && !contact.is_silence_logged {
            contact.is_silence_logged = true;
            let error = ErrorChain(error);
            tracing::warn!(%error, "the log that the servers share does not answer; writes wait for it, and reading goes on");
        }
    }

    /// Whether the log has not answered for some time.
    pub(super) fn is_silent(&self) -> bool {
        self.log.is_some() && self.contact.lock().heard.elapsed() >= SILENCE
    }

    /// Time since the database was current.
    pub(super) fn outdated(&self) -> Duration {
        self.contact.lock().current_at.elapsed()
    }

    /// The reason, as a sentence without a full stop, why the node is not ready.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.log.is_none() || self.outdated() <= READY_TIMEOUT {
            return Ok(());
        }
        Err(if self.is_silent() {
            "the log that the servers share does not answer"
        } else {
            "the database lacks entries of the log that the servers share"
        })
    }

    /// `None` without a log.
    pub(super) fn state(&self) -> Option<LogState> {
        self.log.as_ref()?;
        let applied = self.applied();
        let contact = self.contact.lock();
        Some(LogState { applied, end: contact.end, outdated: contact.current_at.elapsed() })
    }

    /// The last entry that the database has.
    pub(super) fn applied(&self) -> Position {
        *self.applied.borrow()
    }

    /// Waits until the database has the entry `position`.
    pub(super) async fn reaches(&self, position: Position) {
        // The sender lives as long as `self`.
        self.applied.subscribe().wait_for(|applied| *applied >= position).await.ok();
    }

    /// The newest question for the log's end that was begun.
    pub(super) fn newest_question(&self) -> u64 {
        self.asked.load(Ordering::Acquire)
    }

    /// Waits until the database has everything that was in the log when `before` was the newest question. `confirm` appends an entry
    /// without changes, and completes when the database has it.
    pub(super) async fn wait(
        &self,
        before: u64,
        confirm: impl Future<Output = Result<(), ChatError>>,
    ) -> Result<(), ChatError> {
        let Some(log) = &self.log else { return Ok(()) };
        let catch_up = async {
            let end = self.end(&**log, before, confirm).await.ok_or(ChatError::LogUnavailable)?;
            self.reaches(end).await;
            Ok(())
        };
        timeout(CURRENT_TIMEOUT, catch_up).await.unwrap_or(Err(ChatError::LogUnavailable))
    }

    /// The log's end by a question that was begun after `before`. Those who wait for an answer take the next one together.
    async fn end(
        &self,
        log: &dyn Log,
        before: u64,
        confirm: impl Future<Output = Result<(), ChatError>>,
    ) -> Option<Position> {
        let mut answer = self.answer.lock().await;
        if answer.question > before {
            return answer.end;
        }
        if log.end_may_be_old() {
            sleep_until(answer.confirm_at.into()).await;
        }
        let question = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let end = if log.end_may_be_old() {
            answer.confirm_at = Instant::now() + CONFIRM_INTERVAL;
            confirm.await.ok().map(|()| self.applied())
        } else {
            self.ask(log).await
        };
        (answer.question, answer.end) = (question, end);
        end
    }

    async fn ask(&self, log: &dyn Log) -> Option<Position> {
        let start = Instant::now();
        let end = log.end().await;
        match &end {
            Ok(end) => self.answered(start, *end),
            Err(error) => self.unanswered(error),
        }
        end.ok()
    }

    /// Lets the last contact with the log seem older.
    #[cfg(test)]
    pub(super) fn age(&self, by: Duration) {
        let mut contact = self.contact.lock();
        let before = |at: Instant| at.checked_sub(by).expect("the machine runs long enough");
        (contact.heard, contact.current_at) = (before(contact.heard), before(contact.current_at));
    }
}
