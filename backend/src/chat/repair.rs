//! The repair of a server whose database the shared log does not continue: the difference between both, and putting the database
//! aside.
//!
//! Writes nothing to the log.

use std::fs;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;

use super::entry::{self, Chain, Content};
use super::log::{Log, LogError, LogId, Position, Record};
use super::snapshots;
use super::store::{
    self, CopyError, DATABASE_FILE, FolderLock, FollowedLog, OpenError, Opened, Snapshot, StoreError, Surplus,
};

/// The folder, in the data folder, in which the log is read into a database.
const SCRATCH: &str = "chinwag.repair";

/// Longest wait for an entry that the log has.
const ENTRY_TIMEOUT: Duration = Duration::from_secs(30);

/// The relation of a database to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The database follows another log, or none.
    OtherLog,
    /// The log ends before entries that the database has.
    LogIsShorter,
    /// The log has other entries than the database.
    Diverged,
    /// The log continues the database. There is nothing to repair.
    Continues,
}

/// A database beside a log.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The log that the database follows, and its last entry that the database has.
    pub followed: Option<(LogId, Position)>,
    /// The end of the log that it was compared with.
    pub end: Position,
    /// How both are related.
    pub relation: Relation,
    /// The content that only the database has.
    pub only_here: Surplus,
    /// The content that only the log has.
    pub only_in_log: Surplus,
}

/// Why nothing was compared or changed.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// A file cannot be used.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The log cannot be read into a database.
    #[error("the entries of the log cannot be read into a database")]
    Log(#[source] OpenError),
}

impl From<OpenError> for RepairError {
    fn from(error: OpenError) -> Self {
        Self::Copy(error.into())
    }
}

impl From<StoreError> for RepairError {
    fn from(error: StoreError) -> Self {
        Self::Log(OpenError::Log(error))
    }
}

/// A data folder that no server uses while this exists.
#[derive(Debug)]
pub struct StoppedFolder {
    folder: PathBuf,
    _lock: FolderLock,
}

impl StoppedFolder {
    /// Fails while a server uses the folder, and when it has no database.
    pub fn new(folder: &Path) -> Result<Self, CopyError> {
        if !folder.join(DATABASE_FILE).exists() {
            return Err(CopyError::NoDatabase { path: folder.to_owned() });
        }
        Ok(Self { folder: folder.to_owned(), _lock: store::lock(folder)? })
    }

    fn database(&self) -> PathBuf {
        self.folder.join(DATABASE_FILE)
    }

    /// The log that its database follows, and the last entry that it has.
    pub fn followed(&self) -> Result<Option<(LogId, Position)>, CopyError> {
        Ok(store::followed(&self.database())?.map(|followed| (followed.id, followed.applied)))
    }

    /// Reads the log into a database of its own and compares that with the one in the folder. Blocks; the log's own runtime has
    /// to run elsewhere.
    pub fn compare(&self, log: &dyn Log) -> Result<Comparison, RepairError> {
        let scratch = self.folder.join(SCRATCH);
        remove_folder(&scratch)?;
        // The caller's thread may drive another runtime.
        let compare = || self.compare_in(log, &scratch);
        let compared =
            thread::scope(|scope| scope.spawn(compare).join()).unwrap_or_else(|panic| resume_unwind(panic));
        remove_folder(&scratch)?;
        compared
    }

    fn compare_in(&self, log: &dyn Log, scratch: &Path) -> Result<Comparison, RepairError> {
        let own = store::followed(&self.database())?;
        let (end, witnessed) = read_into(scratch, log, own)?;
        let relation = match own {
            Some(own) if own.id != log.id() => Relation::OtherLog,
            None => Relation::OtherLog,
            Some(own) if own.applied > end => Relation::LogIsShorter,
            Some(_) if witnessed == Some(false) => Relation::Diverged,
            Some(_) => Relation::Continues,
        };
        let (only_here, only_in_log) = store::compare(&self.database(), &scratch.join(DATABASE_FILE))?;
        // The log no longer has the entry by which both could be compared, but it cannot have lost an event.
        let relation = match relation {
            Relation::Continues if witnessed.is_none() && !only_here.rooms.is_empty() => Relation::Diverged,
            relation => relation,
        };
        let followed = own.map(|own| (own.id, own.applied));
        Ok(Comparison { followed, end, relation, only_here, only_in_log })
    }

    /// Copies its database to the new file `file`, as the beginning of `log`: the copy at `position`. Its rooms have new epochs, so
    /// that every client reloads them. The database stays as it is.
    pub fn first_snapshot(&self, file: &Path, log: LogId, position: Position) -> Result<Snapshot, CopyError> {
        store::first_snapshot(&self.folder, file, log, position)
    }

    /// Gives the database another name, with the date, so that the next server begins in an empty folder. Returns that name.
    pub fn set_aside(self) -> Result<PathBuf, CopyError> {
        store::set_aside(&self.folder)
    }
}

/// Puts the newest copy that the log has into an empty folder, if it has one. Blocks.
pub fn start_from_copy(folder: &Path, log: &dyn Log) -> Result<bool, OpenError> {
    snapshots::install(folder, log, true)
}

fn remove_folder(folder: &Path) -> Result<(), CopyError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CopyError::Io { path: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Reads the newest copy and the entries behind it into a database in the new folder `scratch`. Returns the log's end, and whether
/// the log has the entry that `own` has applied last, if it still can be said.
fn read_into(
    scratch: &Path,
    log: &dyn Log,
    own: Option<FollowedLog>,
) -> Result<(Position, Option<bool>), RepairError> {
    let runtime = runtime::Builder::new_current_thread().enable_time().build().map_err(OpenError::Thread)?;
    snapshots::install(scratch, log, true).map_err(RepairError::Log)?;
    let Opened { store, .. } = store::open(scratch, Some(log.id()))?;
    let end = ask_end(&runtime, log)?;
    let mut followed = store.followed_log()?.ok_or(CopyError::OtherLog { difference: "follows no log" })?;
    let is_own = |followed: &FollowedLog| {
        own.filter(|own| own.applied == followed.applied).map(|own| own.chain == followed.chain)
    };
    let mut witnessed = is_own(&followed);
    let mut entries = log.follow(followed.applied);
    while followed.applied < end {
        let next = runtime.block_on(async { timeout(ENTRY_TIMEOUT, entries.next()).await });
        let record = match next.unwrap_or_default() {
            Some(Ok(record)) => record,
            Some(Err(error)) => return Err(StoreError::from(error).into()),
            None => return Err(StoreError::from(LogError::Unanswered(None)).into()),
        };
        if record.position <= followed.applied {
            continue;
        }
        let Chain(chain) = apply(&store, log.id(), &followed, &record)?;
        followed = FollowedLog { applied: record.position, chain, ..followed };
        witnessed = witnessed.or(is_own(&followed));
    }
    store.close()?;
    Ok((end, witnessed))
}

fn ask_end(runtime: &Runtime, log: &dyn Log) -> Result<Position, StoreError> {
    let give_up = Instant::now() + ENTRY_TIMEOUT;
    loop {
        match runtime.block_on(log.end()) {
            Err(LogError::Unanswered(_)) if Instant::now() < give_up => {}
            answer => return Ok(answer?),
        }
    }
}

/// Applies an entry to the database alone. Returns the chain after it.
fn apply(
    store: &store::WriteStore,
    log: LogId,
    followed: &FollowedLog,
    record: &Record,
) -> Result<Chain, StoreError> {
    let Content { changes, .. } = entry::decode(&record.entry, record.position, log, Chain(followed.chain))?;
    let after = Chain::after(&record.entry);
    store.begin()?;
    changes.iter().try_for_each(|change| store.apply(change))?;
    store.record_applied(record.position, &after.0)?;
    store.commit()?;
    Ok(after)
}
