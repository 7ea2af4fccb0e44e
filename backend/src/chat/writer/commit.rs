//! The steps from evaluated changes to published ones: append them to the log, if there is one, commit them to the database,
//! publish their effects; and the same for the entries of other nodes.

use std::time::{Duration, Instant};

use proto::chat::log::v1::change::Kind as Change;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::entry::{Chain, Content, EntryError};
use super::super::log::{LogError, Record, TURN};
use super::super::store::StoreError;
use super::group::Group;
use super::replica::{Advance, Outcome, Replica};
use super::{Command, GROUP};
use crate::error_chain::ErrorChain;

/// The place that makes a group durable.
#[derive(Debug)]
pub(super) enum Commit {
    /// The commit of this server's database, which syncs it to disk.
    Local,
    /// The log, before the commit. The database may lose its newest commits in a power failure: the log has them.
    Replicated(Box<Replica>),
}

/// The reason why the writer continues.
pub(super) enum Wake {
    /// Commands were received, or the interval is over.
    Due,
    /// Another node's entry came.
    Entry(Record),
    /// The log cannot be followed any more.
    Lost(StoreError),
    /// All senders of commands are gone.
    Closed,
}

impl Group {
    /// Commits the changes that `evaluate` makes, and publishes their effects. When another node was first, its entry is applied,
    /// and everything is evaluated again. After an error nothing was written here.
    pub(super) fn transact(
        &mut self,
        mut evaluate: impl FnMut(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let end_of_turns = Instant::now() + TURN;
        loop {
            // A group behind an older entry would be refused.
            if let Some(record) = self.arrived().or_else(|| self.yield_turn(end_of_turns)) {
                self.apply_entry(&record)?;
                continue;
            }
            match self.attempt(&mut evaluate) {
                Ok(None) => return Ok(()),
                Ok(Some(record)) => {
                    self.abandon();
                    self.apply_entry(&record)?;
                }
                Err(error) => {
                    self.abandon();
                    self.rewind();
                    return Err(error);
                }
            }
        }
    }

    /// Returns the entry of another node, if that was first.
    fn attempt(
        &mut self,
        evaluate: &mut impl FnMut(&mut Self) -> Result<(), StoreError>,
    ) -> Result<Option<Record>, StoreError> {
        let begun = Instant::now();
        self.begin()?;
        evaluate(self)?;
        let start = Instant::now();
        let mut appended = None;
        if let Commit::Replicated(replica) = &mut self.commit {
            match replica.append(&self.runtime, self.now_ms)? {
                Outcome::Stored(entry) => appended = entry.map(|entry| replica.after_own(&entry)),
                Outcome::Overtaken(record) => return Ok(Some(record)),
            }
        }
        let is_appended = appended.is_some();
        self.finish(appended)?;
        if let Commit::Replicated(replica) = &mut self.commit
            && is_appended
        {
            replica.wrote_in(begun.elapsed());
        }
        self.shared.metrics.commit_seconds.observe(start.elapsed().as_secs_f64());
        Ok(None)
    }

    /// Applies the entry of another node, and publishes its effects.
    pub(super) fn apply_entry(&mut self, record: &Record) -> Result<(), StoreError> {
        self.try_apply_entry(record).map_err(|error| {
            self.abandon();
            self.rewind();
            if error.fault().is_some() {
                return error;
            }
            // The node that wrote the entry has applied it.
            tracing::error!(error = %ErrorChain(&error), "a change of another server cannot be applied");
            EntryError::Diverged { position: record.position, reason: "it cannot be applied" }.into()
        })
    }

    fn try_apply_entry(&mut self, record: &Record) -> Result<(), StoreError> {
        let Commit::Replicated(replica) = &self.commit else { return Ok(()) };
        let Content { writer, changes } = replica.decode(record)?;
        let after = replica.after(&record.entry, writer);
        self.begin()?;
        for change in changes {
            self.change(change)?;
        }
        self.finish(Some(after))
    }

    /// Commits the open transaction, with the position in the log if it is an entry, and publishes its effects.
    fn finish(&mut self, after: Option<Advance>) -> Result<(), StoreError> {
        if let Some(Advance { position, chain: Chain(chain), .. }) = &after {
            self.store.record_applied(*position, chain)?;
        }
        self.commit_and_publish()?;
        if let (Commit::Replicated(replica), Some(after)) = (&mut self.commit, after) {
            replica.advance(after);
        }
        Ok(())
    }

    /// Adds an applied change to the entry of the group.
    pub(super) fn record(&mut self, change: Change) {
        if let Commit::Replicated(replica) = &mut self.commit {
            replica.record(change);
        }
    }

    /// Whether the group should take no further command.
    pub(super) fn is_full(&self) -> bool {
        matches!(&self.commit, Commit::Replicated(replica) if replica.is_full())
    }

    /// Begins the entry of a group.
    pub(super) fn begin_entry(&mut self) {
        if let Commit::Replicated(replica) = &mut self.commit {
            replica.begin();
        }
    }

    /// Sets the end of all attempts to reach the log; `None`: when the chat is closed.
    pub(super) fn give_up_at(&mut self, give_up: Option<Instant>) {
        if let Commit::Replicated(replica) = &mut self.commit {
            replica.give_up_at(give_up);
        }
    }

    /// Asks the log for its end, unless it was heard of just now.
    pub(super) fn ask_log(&self) {
        if let Commit::Replicated(replica) = &self.commit {
            replica.ask_end(&self.runtime);
        }
    }

    fn arrived(&mut self) -> Option<Record> {
        match &mut self.commit {
            Commit::Local => None,
            Commit::Replicated(replica) => replica.arrived(),
        }
    }

    fn yield_turn(&mut self, end: Instant) -> Option<Record> {
        match &mut self.commit {
            Commit::Local => None,
            Commit::Replicated(replica) => replica.yield_turn(&self.runtime, end),
        }
    }

    fn rewind(&mut self) {
        if let Commit::Replicated(replica) = &mut self.commit {
            replica.rewind();
        }
    }

    /// Waits for commands, at most `interval`, and for entries of other nodes if the database `follows` the log.
    pub(super) fn wait(
        &mut self,
        waiting: &mut mpsc::Receiver<Command>,
        commands: &mut Vec<Command>,
        interval: Duration,
        follows: bool,
    ) -> Wake {
        let Self { runtime, commit, .. } = self;
        let received = async {
            let received = waiting.recv_many(commands, GROUP);
            match commit {
                Commit::Replicated(replica) if follows => tokio::select! {
                    count = received => by_count(count),
                    next = replica.next() => by_entry(next),
                },
                _ => by_count(received.await),
            }
        };
        runtime.block_on(async { timeout(interval, received).await }).unwrap_or(Wake::Due)
    }
}

fn by_count(count: usize) -> Wake {
    if count == 0 { Wake::Closed } else { Wake::Due }
}

fn by_entry(next: Result<Record, LogError>) -> Wake {
    match next {
        Ok(record) => Wake::Entry(record),
        // It is followed anew.
        Err(LogError::Unanswered(_)) => Wake::Due,
        Err(error) => Wake::Lost(error.into()),
    }
}
