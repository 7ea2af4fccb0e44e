//! The log that several nodes of one chat share: the seam behind which an ordered, durable log of entries stands.
//!
//! Every node has the whole chat in its own database and evaluates commands against it. The changes of one group of commands are
//! one entry, which is appended right behind the last entry that the node has applied. If the log has taken another one
//! meanwhile, it refuses, and the node applies that one and evaluates again. So every decision rests on everything before it.
//!
//! Knows positions and bytes, but nothing of what is in an entry. A server without a log commits to its own database, and none of
//! this takes part.

#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(feature = "cluster")]
pub mod jetstream;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "cluster")]
mod remote;
#[cfg(feature = "cluster")]
mod seen;
#[cfg(feature = "cluster")]
pub mod servers;
#[cfg(feature = "cluster")]
mod turns;

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

/// The number of an entry: 1, 2, 3, ... 0 is before the first.
pub type Position = u64;

/// The identity of a log: random, of this one incarnation of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogId(pub [u8; 16]);

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({:032x})", u128::from_be_bytes(self.0))
    }
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub position: Position,
    /// Its content, as it was appended.
    pub entry: Bytes,
}

/// The answer to an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The entry is durable, right behind the position that was named.
    Stored,
    /// The log ends elsewhere. This attempt stored nothing, but an earlier one with the same entry may have.
    Conflict,
}

/// Why the log did not do something.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It did not answer in time. An append may have been stored, or may be stored later.
    #[error("the log does not answer")]
    Unanswered(#[source] Option<Box<dyn Error + Send + Sync>>),
    /// It no longer has the wanted entries.
    #[error("the log no longer has the entries before {first}, which this database needs")]
    Trimmed {
        /// The first entry that is left.
        first: Position,
    },
    /// It is not the log that was opened, or has lost entries: it was made anew, or brought back from an older copy.
    #[error("the log is not the one that this database follows: {reason}")]
    Replaced {
        /// The difference.
        reason: &'static str,
    },
    /// A copy of the database cannot be read from its file, written to it, or is not whole.
    #[error("the log's copy of the database cannot be used")]
    Snapshot(#[source] Box<dyn Error + Send + Sync>),
}

#[cfg(feature = "cluster")]
fn unanswered(error: impl Into<cluster::ClientError>) -> LogError {
    LogError::Unanswered(Some(error.into()))
}

/// Longest time for which a group of commands leaves the next position to nodes that have said that they want their turn.
pub const TURN: Duration = Duration::from_millis(200);

/// One ordered, durable log of entries that all nodes of a chat share.
///
/// A method that fails with [`LogError::Unanswered`] has taken some time before, so that callers may call it again at once.
pub trait Log: fmt::Debug + Send + Sync + 'static {
    /// The log's identity.
    fn id(&self) -> LogId;

    /// Appends `entry` right behind `after`. After [`LogError::Unanswered`] the same entry may be appended again behind the same
    /// position: it is stored at most once.
    fn append(&self, after: Position, entry: Bytes) -> BoxFuture<'_, Result<Appended, LogError>>;

    /// The entries above `after` in order, as they come. The stream ends, or fails, when it has lost the log: then it is to be
    /// followed again. An entry may come twice. Entries that are no longer there are [`LogError::Trimmed`], never left out.
    fn follow(&self, after: Position) -> BoxStream<'static, Result<Record, LogError>>;

    /// The position of the last entry at some time after this call began; before it, if [`Self::end_may_be_old`].
    fn end(&self) -> BoxFuture<'_, Result<Position, LogError>>;

    /// Whether an answer of [`Self::end`] may be older than its question. Then only an entry that was appended tells what was before
    /// it.
    fn end_may_be_old(&self) -> bool;

    /// Keeps a copy of the database at `position`, which `database` is a file of. Older copies may go once it is kept whole.
    fn put_snapshot<'a>(
        &'a self,
        position: Position,
        database: &'a Path,
    ) -> BoxFuture<'a, Result<(), LogError>>;

    /// Writes the newest copy, that of the highest position, to `into`, and says its position; `None` when there is no copy. A
    /// file that is there is replaced; after an error it may hold anything. Does not sync the file.
    fn newest_snapshot<'a>(&'a self, into: &'a Path) -> BoxFuture<'a, Result<Option<Position>, LogError>>;

    /// Tells the other nodes that this one has lost races for the next position, and `wants` its turn; or that it had it. A hint,
    /// which may be lost.
    fn want_turn(&self, wants: bool);

    /// Completes when no other node wants its turn any more, or has wanted it for longer than [`TURN`]. `None`: none does now.
    fn turn_of_others(&self) -> Option<BoxFuture<'_, ()>>;

    /// Removes the entries up to and including `up_to`, which some copy has. Those that are gone already are no error.
    fn trim(&self, up_to: Position) -> BoxFuture<'_, Result<(), LogError>>;
}
