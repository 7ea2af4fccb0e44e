//! The writer's end of a log that several nodes share: appends the changes of a group as one entry, and takes the entries of
//! others, each once and in order.
//!
//! Knows the log, but not the database.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::pending;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use prost::Message as _;
use proto::chat::log::v1 as pb;
use proto::chat::log::v1::change::Kind as Change;
use tokio::runtime;
use tokio::time::timeout;

use super::super::Shared;
use super::super::entry::{self, Chain, Content, EntryError, Writer};
use super::super::log::{Appended, Log, LogError, Position, Record};
use super::super::store::{FollowedLog, StoreError};
use super::order::Order;

/// An entry takes no further command when its changes have reached this size, bytes, so that no entry is longer than 512 KiB: a
/// command adds some ten KiB at most.
const FULL_BYTES: usize = 448 * 1024;

/// Interval between two questions for the log's end while the writer has no other reason to ask.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// First wait for an entry that the log has, until it is followed anew: a server of NATS that stops takes its consumers with it. Each
/// further wait is twice as long, because following anew takes its time, too.
const ENTRY_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest of these waits.
const MAX_ENTRY_TIMEOUT: Duration = Duration::from_secs(5);

/// Races that a node loses in a row before it tells the others that it wants its turn. One that is only a little slower than they are would
/// lose all of them, and the more commands wait for it, the slower it gets.
const LOST_RACES: u32 = 2;

/// Result of an append.
pub(super) enum Outcome {
    /// The changes are durable in the log, as this entry; there may be none if there were no changes.
    Stored(Option<Bytes>),
    /// The log had another entry, which has to be applied before the commands are evaluated again.
    Overtaken(Record),
}

/// The state of the database after an entry.
pub(super) struct Advance {
    /// The entry.
    pub(super) position: Position,
    pub(super) chain: Chain,
    /// The server that wrote it.
    writer: Writer,
}

/// The writer's end of a log.
pub(super) struct Replica {
    log: Arc<dyn Log>,
    shared: Arc<Shared>,
    /// The last entry that the database has.
    applied: Position,
    chain: Chain,
    entries: Option<BoxStream<'static, Result<Record, LogError>>>,
    /// The changes of the group that is being evaluated, and their size in an entry.
    draft: Vec<pb::Change>,
    draft_bytes: usize,
    /// Number of appends since the last entry that was stored.
    tries: u32,
    /// Number of entries by which others were first since then.
    lost: u32,
    /// Wait for the next entry that the log has.
    entry_timeout: Duration,
    /// The order of the servers that write at the same time.
    order: Order,
    /// End of all attempts, while the chat is being opened.
    give_up: Option<Instant>,
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, applied, .. } = self;
        f.debug_struct("Replica").field("log", log).field("applied", applied).finish_non_exhaustive()
    }
}

impl Replica {
    pub(super) fn new(log: Arc<dyn Log>, shared: Arc<Shared>, followed: FollowedLog, writer: Writer) -> Self {
        shared.current.advance(followed.applied);
        let (applied, chain) = (followed.applied, Chain(followed.chain));
        Self {
            log,
            shared,
            applied,
            chain,
            entries: None,
            draft: Vec::new(),
            draft_bytes: 0,
            tries: 0,
            lost: 0,
            entry_timeout: ENTRY_TIMEOUT,
            order: Order::new(writer),
            give_up: None,
        }
    }

    /// Sets the end of all attempts to reach the log. `None`: they end when the chat is closed.
    pub(super) fn give_up_at(&mut self, give_up: Option<Instant>) {
        self.give_up = give_up;
    }

    /// Asks the log once for its end, unless the database was current just now, so that the age of what is read here is known.
    pub(super) fn ask_end(&self, runtime: &runtime::Runtime) {
        if self.shared.current.outdated() < ASK_INTERVAL {
            return;
        }
        let start = Instant::now();
        match runtime.block_on(self.log.end()) {
            Ok(end) => self.shared.current.answered(start, end),
            Err(error) => self.count_unanswered(&error),
        }
    }

    /// Begins a group.
    pub(super) fn begin(&mut self) {
        self.draft.clear();
        self.draft_bytes = 0;
    }

    /// Adds a change to the group.
    pub(super) fn record(&mut self, change: Change) {
        let change = pb::Change { kind: Some(change) };
        self.draft_bytes += change.encoded_len();
        self.draft.push(change);
    }

    /// Whether the group should take no further command.
    pub(super) fn is_full(&self) -> bool {
        self.draft_bytes >= FULL_BYTES
    }

    /// Appends the group's changes behind the last entry that was applied. A group without changes only asks whether that entry is
    /// the last one: what it says to its callers has to be true now. Where the answer may be old, it appends an entry without
    /// changes; not while the chat is being opened, because nobody is told anything yet.
    pub(super) fn append(&mut self, runtime: &runtime::Runtime, now_ms: i64) -> Result<Outcome, StoreError> {
        if self.draft.is_empty() && (self.give_up.is_some() || !self.log.end_may_be_old()) {
            self.tries = 0;
            return self.confirm_end(runtime);
        }
        let entry = entry::encode(self.log.id(), self.order.own(), self.chain, now_ms, &mut self.draft)?;
        // When it was stored after this, the log ended with it; entries of others may have come since.
        let start = Instant::now();
        loop {
            self.tries += 1;
            // The same entry behind the same position, so that a late attempt and this one exclude each other.
            match runtime.block_on(self.try_append(&entry)) {
                Ok(Some(record)) if record.entry != entry => return Ok(self.overtaken(record)),
                // This attempt has stored it, or an earlier one, which was not answered.
                Ok(_) => {
                    self.shared.current.answered(start, self.applied + 1);
                    return Ok(self.stored(entry));
                }
                Err(error) => self.check_unanswered(error)?,
            }
        }
    }

    /// Appends an entry. Returns the one that came to its position, which may be this one before its answer; `None` after the answer.
    async fn try_append(&mut self, entry: &Bytes) -> Result<Option<Record>, LogError> {
        let log = self.log.clone();
        let mut append = log.append(self.applied, entry.clone());
        let appended = loop {
            tokio::select! {
                appended = &mut append => break appended?,
                next = self.next() => match next {
                    Ok(record) => return Ok(Some(record)),
                    // It is followed anew.
                    Err(LogError::Unanswered(_)) => {}
                    Err(_) => break append.await?,
                },
            }
        };
        match appended {
            Appended::Stored => Ok(None),
            // An entry that was on its way to a leader that died may never come: then this one is appended again.
            Appended::Conflict => self.next_in_time().await.map(Some),
        }
    }

    fn overtaken(&mut self, record: Record) -> Outcome {
        self.lost += 1;
        if self.lost >= LOST_RACES {
            self.log.want_turn(true);
        }
        Outcome::Overtaken(record)
    }

    /// Leaves the next position to nodes that want their turn, or to those whose turn it is by the order of the entries, until `end`
    /// at most; returns the entry that came meanwhile. Those that want their turn race for it.
    pub(super) fn yield_turn(&mut self, runtime: &runtime::Runtime, end: Instant) -> Option<Record> {
        if self.lost >= LOST_RACES {
            return None;
        }
        let log = self.log.clone();
        let (turn, end) = match log.turn_of_others() {
            Some(turn) => (turn, end),
            None => (pending().boxed(), self.order.wait_until()?.min(end)),
        };
        let left = end.checked_duration_since(Instant::now())?;
        let next = async {
            tokio::select! {
                () = turn => None,
                // A fault of the log shows in the append that follows.
                next = self.next() => next.ok(),
            }
        };
        runtime.block_on(async { timeout(left, next).await }).ok()?
    }

    fn stored(&mut self, entry: Bytes) -> Outcome {
        if std::mem::take(&mut self.lost) >= LOST_RACES {
            self.log.want_turn(false);
        }
        self.shared.metrics.append_tries.observe(std::mem::take(&mut self.tries).into());
        Outcome::Stored(Some(entry))
    }

    fn confirm_end(&mut self, runtime: &runtime::Runtime) -> Result<Outcome, StoreError> {
        loop {
            let start = Instant::now();
            let end = runtime.block_on(self.log.end());
            if let Ok(end) = &end {
                self.shared.current.answered(start, *end);
            }
            match end {
                Ok(end) if end < self.applied => {
                    let reason = "the log ends before it";
                    return Err(EntryError::Diverged { position: self.applied, reason }.into());
                }
                Ok(end) if end == self.applied => return Ok(Outcome::Stored(None)),
                Ok(_) => return Ok(Outcome::Overtaken(self.wait_for_next(runtime)?)),
                Err(error) => self.check_unanswered(error)?,
            }
        }
    }

    /// Fails unless the log is to be asked again.
    fn check_unanswered(&mut self, error: LogError) -> Result<(), StoreError> {
        self.count_unanswered(&error);
        self.entries = None;
        let is_over = self.give_up.is_some_and(|at| Instant::now() >= at) || self.shared.is_closing();
        match error {
            LogError::Unanswered(_) if !is_over => Ok(()),
            error => Err(error.into()),
        }
    }

    fn count_unanswered(&self, error: &LogError) {
        if matches!(error, LogError::Unanswered(_)) {
            self.shared.metrics.log_unanswered.inc();
            self.shared.current.unanswered(error);
        }
    }

    /// Waits for the next entry, which the log has.
    fn wait_for_next(&mut self, runtime: &runtime::Runtime) -> Result<Record, StoreError> {
        loop {
            match runtime.block_on(self.next_in_time()) {
                Ok(record) => return Ok(record),
                Err(error) => self.check_unanswered(error)?,
            }
        }
    }

    /// Waits for the next entry, which the log has, for some time.
    async fn next_in_time(&mut self) -> Result<Record, LogError> {
        let limit = self.entry_timeout;
        match timeout(limit, self.next()).await {
            Ok(next) => {
                self.entry_timeout = ENTRY_TIMEOUT;
                next
            }
            Err(_) => {
                self.entry_timeout = (limit * 2).min(MAX_ENTRY_TIMEOUT);
                Err(LogError::Unanswered(None))
            }
        }
    }

    /// The next entry, if it has arrived.
    pub(super) fn arrived(&mut self) -> Option<Record> {
        self.next().now_or_never()?.ok()
    }

    /// Waits for the next entry. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Record, LogError> {
        loop {
            let entries = self.entries.get_or_insert_with(|| self.log.follow(self.applied));
            match entries.next().await.unwrap_or(Err(LogError::Unanswered(None))) {
                // This node's own, or one that comes again.
                Ok(record) if record.position <= self.applied => {}
                Ok(record) if record.position == self.applied + 1 => return Ok(record),
                Ok(record) => return Err(LogError::Trimmed { first: record.position }),
                // Only entries that the database has: its own, which did not come by this way.
                Err(LogError::Trimmed { first }) if first <= self.applied + 1 => self.entries = None,
                Err(error) => {
                    self.entries = None;
                    return Err(error);
                }
            }
        }
    }

    /// The content of the next entry.
    pub(super) fn decode(&self, record: &Record) -> Result<Content, EntryError> {
        entry::decode(&record.entry, record.position, self.log.id(), self.chain)
    }

    /// The state after the next entry, which another node wrote.
    pub(super) fn after(&self, entry: &[u8], writer: Writer) -> Advance {
        Advance { position: self.applied + 1, chain: Chain::after(entry), writer }
    }

    /// The state after the next entry, which this node wrote.
    pub(super) fn after_own(&self, entry: &[u8]) -> Advance {
        self.after(entry, self.order.own())
    }

    /// The database has the next entry.
    pub(super) fn advance(&mut self, Advance { position, chain, writer }: Advance) {
        self.order.came(writer, Instant::now());
        (self.applied, self.chain) = (position, chain);
        self.shared.current.advance(position);
    }

    /// A group was evaluated, stored and committed in this time.
    pub(super) fn wrote_in(&mut self, time: Duration) {
        self.order.wrote_in(time);
    }

    /// The database does not have an entry that was taken: the next ones begin behind the last one that it has.
    pub(super) fn rewind(&mut self) {
        self.entries = None;
    }
}
