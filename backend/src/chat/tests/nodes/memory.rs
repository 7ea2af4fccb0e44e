//! A log in memory, which several nodes in one process share, and each node's connection to it, with faults on order.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use futures_util::future::{BoxFuture, pending};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};

use super::super::*;
use crate::chat::log::{Appended, Log, LogError, LogId, Position, Record};

/// Time after which a connection that was cut gives up. Nothing waits for it to be over.
const SILENCE: Duration = Duration::from_millis(5);

/// A fault of one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AppendFault {
    /// It is stored, and the answer is lost.
    AnswerLost,
    /// It is not stored, and there is no answer.
    Lost,
    /// There is no answer; it arrives before some later append.
    Delayed,
    /// It is stored, and the answer never comes.
    Silent,
    /// It is refused, because of an entry that never comes.
    Refused,
}

/// A fault of one entry that a node follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FollowFault {
    /// It comes twice.
    Repeated,
    /// The stream breaks instead.
    Broken,
}

/// The log.
pub(super) struct Memory {
    id: LogId,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    /// The connections that want their turn.
    turns: watch::Sender<Vec<usize>>,
}

#[derive(Default)]
struct State {
    /// Number of entries that were trimmed.
    trimmed: u64,
    entries: VecDeque<Bytes>,
    delayed: Vec<(Position, Bytes)>,
    snapshot: Option<(Position, Vec<u8>)>,
    counts: Counts,
}

/// Counters of what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) stored: u64,
    pub(super) conflicts: u64,
    pub(super) unanswered: u64,
    /// Questions for the end, and times that a node began to follow.
    pub(super) ends: u64,
    pub(super) follows: u64,
}

impl State {
    fn end(&self) -> Position {
        self.trimmed + self.entries.len() as u64
    }

    fn append(&mut self, after: Position, entry: Bytes) -> Appended {
        if after != self.end() {
            self.counts.conflicts += 1;
            return Appended::Conflict;
        }
        self.counts.stored += 1;
        self.entries.push_back(entry);
        Appended::Stored
    }
}

impl Memory {
    pub(super) fn new(id: u8) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), watch::Sender::new(()));
        Arc::new(Self { id: LogId([id; 16]), state, changed, turns: watch::Sender::default() })
    }

    /// A node's connection to the log.
    pub(super) fn connect(self: &Arc<Self>) -> Arc<Connection> {
        let (appends, follows) = (Mutex::default(), Arc::new(Mutex::default()));
        let (held, followed) = (watch::Sender::new(false), Arc::default());
        Arc::new(Connection {
            log: self.clone(),
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            yielded: AtomicUsize::new(0),
            cut: watch::Sender::new(false),
            appends,
            follows,
            held,
            followed,
            old_end: Mutex::default(),
        })
    }

    pub(super) fn end(&self) -> Position {
        self.state.lock().end()
    }

    pub(super) fn counts(&self) -> Counts {
        self.state.lock().counts
    }

    /// The entries that are left.
    pub(super) fn entries(&self) -> Vec<Bytes> {
        self.state.lock().entries.iter().cloned().collect()
    }

    /// Waits until `condition` holds.
    pub(super) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        let holds = async {
            while !condition(self) {
                // The sender lives as long as `self`.
                changed.changed().await.ok();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), holds).await.expect("it did not come to that");
    }

    /// Number of entries that were trimmed.
    pub(super) fn trimmed(&self) -> u64 {
        self.state.lock().trimmed
    }

    /// The newest copy of the database.
    pub(super) fn snapshot(&self) -> Option<(Position, Vec<u8>)> {
        self.state.lock().snapshot.clone()
    }

    /// Puts anything in the place of the newest copy.
    pub(super) fn put_snapshot(&self, position: Position, copy: Vec<u8>) {
        self.state.lock().snapshot = Some((position, copy));
    }

    /// Removes the entries up to `position`.
    pub(super) fn trim(&self, position: Position) {
        let mut state = self.state.lock();
        let count = (position.saturating_sub(state.trimmed) as usize).min(state.entries.len());
        state.entries.drain(..count);
        state.trimmed += count as u64;
        drop(state);
        self.changed.send_replace(());
    }

    /// Replaces the content, as a server does that has lost what it had acknowledged.
    pub(super) fn replace(&self, entries: Vec<Bytes>) {
        self.state.lock().entries = entries.into();
        self.changed.send_replace(());
    }

    /// Appends without any condition, as no node does.
    pub(super) fn push(&self, entry: Bytes) {
        self.state.lock().entries.push_back(entry);
        self.changed.send_replace(());
    }

    fn append(&self, after: Position, entry: Bytes, fault: Option<AppendFault>) -> Option<Appended> {
        let mut state = self.state.lock();
        // Those that were delayed arrive now, each with its condition.
        if fault.is_none() {
            for (after, entry) in std::mem::take(&mut state.delayed) {
                state.append(after, entry);
            }
        }
        let answer = match fault {
            None => Some(state.append(after, entry)),
            Some(AppendFault::Refused) => Some(Appended::Conflict),
            Some(AppendFault::AnswerLost | AppendFault::Silent) => {
                state.append(after, entry);
                None
            }
            Some(AppendFault::Delayed) => {
                state.delayed.push((after, entry));
                None
            }
            Some(AppendFault::Lost) => None,
        };
        state.counts.unanswered += u64::from(answer.is_none());
        drop(state);
        self.changed.send_replace(());
        answer
    }

    fn read(&self, after: Position) -> Option<Result<Record, LogError>> {
        let state = self.state.lock();
        let Some(index) = after.checked_sub(state.trimmed) else {
            return Some(Err(LogError::Trimmed { first: state.trimmed + 1 }));
        };
        let entry = state.entries.get(index as usize)?.clone();
        Some(Ok(Record { position: after + 1, entry }))
    }
}

/// The number of the next connection.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A node's connection to the log.
pub(super) struct Connection {
    log: Arc<Memory>,
    number: usize,
    /// Times that it was told to leave a position to another one.
    yielded: AtomicUsize,
    cut: watch::Sender<bool>,
    appends: Mutex<VecDeque<Option<AppendFault>>>,
    follows: Arc<Mutex<VecDeque<Option<FollowFault>>>>,
    /// Whether entries do not come, while everything else works.
    held: watch::Sender<bool>,
    followed: Arc<AtomicU64>,
    /// The end that it answers, of some time ago.
    old_end: Mutex<Option<Position>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    /// Cuts the connection, or mends it.
    pub(super) fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }

    /// Times that it was told to leave a position to another one.
    pub(super) fn yielded(&self) -> usize {
        self.yielded.load(Ordering::Relaxed)
    }

    /// Holds the entries back, or lets them come.
    pub(super) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Answers from now on that the log ends where it ends now.
    pub(super) fn keep_old_end(&self) {
        *self.old_end.lock() = Some(self.log.end());
    }

    /// The newest entry that came.
    pub(super) fn followed(&self) -> Position {
        self.followed.load(Ordering::Relaxed)
    }

    /// Orders the faults of the next appends and the next entries that are followed.
    pub(super) fn order(&self, appends: Vec<Option<AppendFault>>, follows: Vec<Option<FollowFault>>) {
        *self.appends.lock() = appends.into();
        *self.follows.lock() = follows.into();
    }

    async fn while_cut(&self) -> Result<(), LogError> {
        let mut cut = self.cut.subscribe();
        // The sender lives as long as `self`.
        let mended = cut.wait_for(|cut| !cut);
        tokio::time::timeout(SILENCE, mended).await.map(drop).map_err(|_| LogError::Unanswered(None))
    }
}

impl Log for Connection {
    fn id(&self) -> LogId {
        self.log.id
    }

    fn append(&self, after: Position, entry: Bytes) -> BoxFuture<'_, Result<Appended, LogError>> {
        async move {
            self.while_cut().await?;
            let fault = self.appends.lock().pop_front().flatten();
            let answer = self.log.append(after, entry, fault);
            if fault == Some(AppendFault::Silent) {
                return pending().await;
            }
            answer.ok_or(LogError::Unanswered(None))
        }
        .boxed()
    }

    fn follow(&self, after: Position) -> BoxStream<'static, Result<Record, LogError>> {
        let (log, cut, faults) = (self.log.clone(), self.cut.clone(), self.follows.clone());
        let (held, followed) = (self.held.clone(), self.followed.clone());
        let changes = (log.changed.subscribe(), cut.subscribe());
        let start = (after, changes, None::<Record>);
        log.state.lock().counts.follows += 1;
        stream::unfold(start, move |(after, (mut changed, mut mended), again)| {
            let (log, faults) = (log.clone(), faults.clone());
            let (held, followed) = (held.clone(), followed.clone());
            async move {
                if let Some(record) = again {
                    return Some((Ok(record), (after, (changed, mended), None)));
                }
                loop {
                    mended.wait_for(|cut| !cut).await.ok()?;
                    held.subscribe().wait_for(|held| !held).await.ok()?;
                    changed.borrow_and_update();
                    match log.read(after) {
                        None => changed.changed().await.ok()?,
                        Some(Err(error)) => return Some((Err(error), (after, (changed, mended), None))),
                        Some(Ok(record)) => {
                            let again = match faults.lock().pop_front().flatten() {
                                Some(FollowFault::Broken) => return None,
                                Some(FollowFault::Repeated) => Some(record.clone()),
                                None => None,
                            };
                            followed.store(record.position, Ordering::Relaxed);
                            return Some((Ok(record), (after + 1, (changed, mended), again)));
                        }
                    }
                }
            }
        })
        .boxed()
    }

    fn end(&self) -> BoxFuture<'_, Result<Position, LogError>> {
        async move {
            self.while_cut().await?;
            self.log.state.lock().counts.ends += 1;
            self.log.changed.send_replace(());
            Ok(self.old_end.lock().unwrap_or_else(|| self.log.end()))
        }
        .boxed()
    }

    fn end_may_be_old(&self) -> bool {
        self.old_end.lock().is_some()
    }

    fn want_turn(&self, wants: bool) {
        self.log.turns.send_modify(|turns| {
            turns.retain(|number| *number != self.number);
            if wants {
                turns.push(self.number);
            }
        });
    }

    fn turn_of_others(&self) -> Option<BoxFuture<'_, ()>> {
        let wants = |turns: &Vec<usize>| turns.iter().any(|number| *number != self.number);
        let mut turns = self.log.turns.subscribe();
        if !wants(&turns.borrow()) {
            return None;
        }
        self.yielded.fetch_add(1, Ordering::Relaxed);
        // The sender lives as long as `self`.
        Some(async move { drop(turns.wait_for(|turns| !wants(turns)).await) }.boxed())
    }

    fn put_snapshot<'a>(
        &'a self,
        position: Position,
        database: &'a Path,
    ) -> BoxFuture<'a, Result<(), LogError>> {
        async move {
            self.while_cut().await?;
            let database = std::fs::read(database).map_err(|error| LogError::Snapshot(error.into()))?;
            let snapshot = &mut self.log.state.lock().snapshot;
            if snapshot.as_ref().is_none_or(|(newest, _)| *newest <= position) {
                *snapshot = Some((position, database));
            }
            self.log.changed.send_replace(());
            Ok(())
        }
        .boxed()
    }

    fn newest_snapshot<'a>(&'a self, into: &'a Path) -> BoxFuture<'a, Result<Option<Position>, LogError>> {
        async move {
            self.while_cut().await?;
            let Some((position, database)) = self.log.state.lock().snapshot.clone() else { return Ok(None) };
            std::fs::write(into, database).map_err(|error| LogError::Snapshot(error.into()))?;
            Ok(Some(position))
        }
        .boxed()
    }

    fn trim(&self, up_to: Position) -> BoxFuture<'_, Result<(), LogError>> {
        async move {
            self.while_cut().await?;
            self.log.trim(up_to);
            Ok(())
        }
        .boxed()
    }
}
