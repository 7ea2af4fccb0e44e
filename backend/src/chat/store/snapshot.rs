//! Copies of the database for a log that several servers share: made while a server uses the database, checked, and put in the
//! place of a database that lacks entries which the log no longer has.
//!
//! Knows files and the position that a database is at, but not the log.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::super::clock::wall_ms;
use super::super::log::{LogId, Position};
use super::copy::{CopyError, io_error, refuse_damage, remove_with_companions, write_copy};
use super::head::{Head, HeadFile, Stamp, sync_folder};
use super::identity::with_suffix;
use super::schema::{self, Found};
use super::{DATABASE_FILE, followed_log, incarnation, lock, make_folder, open_reader};

/// File name of a copy that is being made, checked or taken over.
const COPY_FILE: &str = "chinwag.db.snapshot";

/// A copy of the database at a position of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry that it has.
    pub position: Position,
    /// Time at which it was made.
    pub made_at_ms: i64,
}

impl Snapshot {
    /// Time since it was made.
    pub fn age(&self) -> Duration {
        Duration::from_millis(u64::try_from(wall_ms().saturating_sub(self.made_at_ms)).unwrap_or(0))
    }
}

/// A file for a copy, in the data folder. It is removed when this is dropped.
#[derive(Debug)]
pub(in crate::chat) struct CopyFile(PathBuf);

impl CopyFile {
    /// Removes what an earlier process has left.
    pub(in crate::chat) fn new(folder: &Path) -> Result<Self, CopyError> {
        let file = Self(folder.join(COPY_FILE));
        file.remove()?;
        Ok(file)
    }

    pub(in crate::chat) fn path(&self) -> &Path {
        &self.0
    }

    pub(in crate::chat) fn remove(&self) -> Result<(), CopyError> {
        remove_with_companions(&self.0).map_err(io_error(&self.0))
    }
}

impl Drop for CopyFile {
    fn drop(&mut self) {
        // The next one removes it.
        self.remove().ok();
    }
}

/// Copies the database in `folder`, which a server may be using and which follows a log, to the new file `file`, and checks the
/// copy. Every node of the log can start from it.
pub fn snapshot(folder: &Path, file: &Path) -> Result<Snapshot, CopyError> {
    let database = existing_database(folder)?;
    let mut snapshot = Snapshot { position: 0, made_at_ms: wall_ms() };
    write_copy(&database, file, |copy| {
        let followed = followed_log::read(copy)?.ok_or(CopyError::OtherLog { difference: FOLLOWS_NONE })?;
        snapshot.position = followed.applied;
        Ok(incarnation::probe(copy, snapshot.made_at_ms)?)
    })?;
    Ok(snapshot)
}

/// Copies the database in `folder` to the new file `file`, as the beginning of `log`: the copy at `position`. Its rooms have new
/// epochs, so that every client reloads them. A server that uses the folder would go on with another chat, so the caller has locked
/// it.
pub(in crate::chat) fn first_snapshot(
    folder: &Path,
    file: &Path,
    log: LogId,
    position: Position,
) -> Result<Snapshot, CopyError> {
    let database = existing_database(folder)?;
    let made_at_ms = wall_ms();
    write_copy(&database, file, |copy| {
        incarnation::renew(copy)?;
        followed_log::follow(copy, log, position)?;
        Ok(incarnation::probe(copy, made_at_ms)?)
    })?;
    Ok(Snapshot { position, made_at_ms })
}

fn existing_database(folder: &Path) -> Result<PathBuf, CopyError> {
    let database = folder.join(DATABASE_FILE);
    if database.exists() { Ok(database) } else { Err(CopyError::NoDatabase { path: folder.to_owned() }) }
}

const FOLLOWS_NONE: &str = "follows no log";

/// Checks a copy that came from `log`, which says that it is at `position`.
pub(in crate::chat) fn check_snapshot(
    file: &Path,
    log: LogId,
    position: Position,
) -> Result<Snapshot, CopyError> {
    check(file, log, position).map_err(|error| CopyError::Unusable(Box::new(error)))
}

fn check(file: &Path, log: LogId, position: Position) -> Result<Snapshot, CopyError> {
    let other = |difference| CopyError::OtherLog { difference };
    if schema::check_read_only(file)? != Found::Database {
        return Err(other("is not whole"));
    }
    let copy = open_reader(file)?;
    refuse_damage(&copy, file)?;
    let followed = followed_log::read(&copy)?.ok_or(other(FOLLOWS_NONE))?;
    if followed.id != log {
        return Err(other("follows another log"));
    }
    if followed.applied != position {
        return Err(other("is at another position than the log says"));
    }
    Ok(Snapshot { position, made_at_ms: incarnation::written_ms(&copy)? })
}

/// Puts the copy that `fetch` writes to a file, if there is one, in the place of the database in `folder`. With `only_new` nothing
/// happens when that has a chat. Otherwise the copy has to continue the chat, and nothing happens when it is not ahead. Fails while
/// a server uses the folder.
pub(in crate::chat) fn install_snapshot<E: From<CopyError>>(
    folder: &Path,
    log: LogId,
    only_new: bool,
    fetch: impl FnOnce(&Path) -> Result<Option<Position>, E>,
) -> Result<Option<Snapshot>, E> {
    make_folder(folder).map_err(io_error(folder))?;
    let _lock = lock(folder).map_err(CopyError::from)?;
    let database = folder.join(DATABASE_FILE);
    let found = schema::check_read_only(&database).map_err(CopyError::from)?;
    if only_new && found != Found::Nothing && may_have_chat(found, &database)? {
        return Ok(None);
    }
    let copy = CopyFile::new(folder)?;
    let Some(position) = fetch(copy.path())? else { return Ok(None) };
    let snapshot = check_snapshot(copy.path(), log, position)?;
    if found != Found::Nothing && !retire(&database, copy.path(), position)? {
        return Ok(None);
    }
    replace(folder, &database, copy.path())?;
    Ok(Some(snapshot))
}

fn may_have_chat(found: Found, database: &Path) -> Result<bool, CopyError> {
    Ok(found == Found::Interrupted || has_chat(&open_reader(database)?)?)
}

/// Whether the database has rooms: every chat has one.
fn has_chat(database: &Connection) -> Result<bool, CopyError> {
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'rooms')";
    let has_table: bool = database.query_row(exists, [], |row| row.get(0))?;
    Ok(has_table && !followed_log::is_new(database)?)
}

/// Makes a database ready to be replaced by `copy`: merges its write-ahead log into it, which SQLite would replay over another one.
/// Returns false if the copy is not ahead of it.
fn retire(database: &Path, copy: &Path, position: Position) -> Result<bool, CopyError> {
    let own = Connection::open(database)?;
    if has_chat(&own)? {
        if followed_log::read(&own)?.is_some_and(|followed| followed.applied >= position) {
            return Ok(false);
        }
        if !continues(&open_reader(copy)?, &own)? {
            return Err(CopyError::Diverged { path: database.to_owned() });
        }
    }
    own.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    own.close().map_err(|(_, error)| error)?;
    Ok(true)
}

/// Whether `copy` has the newest event of every room of `own`, byte by byte.
fn continues(copy: &Connection, own: &Connection) -> Result<bool, CopyError> {
    let mut heads = own.prepare(
        "SELECT rooms.key, rooms.epoch, last.seq, last.event
         FROM rooms JOIN events AS last ON last.room = rooms.key
              AND last.seq = (SELECT max(seq) FROM events WHERE room = rooms.key)",
    )?;
    let mut find = copy.prepare(
        "SELECT 1 FROM rooms JOIN events ON events.room = rooms.key
         WHERE rooms.key = ?1 AND rooms.epoch = ?2 AND events.seq = ?3 AND events.event = ?4",
    )?;
    let mut rows = heads.query([])?;
    while let Some(row) = rows.next()? {
        let (key, epoch, seq): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let event: Vec<u8> = row.get(3)?;
        if !find.exists(params![key, epoch, seq, event])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives `copy` the database's name, durably.
fn replace(folder: &Path, database: &Path, copy: &Path) -> Result<(), CopyError> {
    let head = incarnation::head(&open_reader(copy)?)?;
    File::open(copy).and_then(|file| file.sync_all()).map_err(io_error(copy))?;
    for suffix in ["-wal", "-shm", "-journal"] {
        let companion = with_suffix(database, suffix);
        super::copy::remove(&companion).map_err(io_error(&companion))?;
    }
    fs::rename(copy, database).map_err(io_error(database))?;
    sync_folder(folder).map_err(io_error(folder))?;
    let closed = Stamp::of(database).map_err(io_error(database))?;
    HeadFile::write(folder, Head { closed: Some(closed), ..head })?;
    Ok(())
}
