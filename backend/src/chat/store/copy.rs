//! Backups: a copy of the database while a server uses it, and a copy put in the database's place.
//!
//! Knows files and settings; what is right in a database is `check.rs`'s business.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::head::{Head, HeadFile, Stamp, sync_folder};
use super::identity::beside;
use super::schema::{self, Found};
use super::{
    DATABASE_FILE, OpenError, StoreError, configure_writer, damage, incarnation, lock, make_folder,
    open_reader,
};

/// How long a copy waits before it tries again when another program holds the database's lock.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How often it tries.
const BUSY_TRIES: u32 = 500;

/// The name that a database has in its folder before it is put in its place.
const RESTORING: &str = "chinwag.db.restoring";

/// Why a copy was not made, or not put in place.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is nothing to copy.
    #[error("the data folder {} has no database; name another one with --data", path.display())]
    NoDatabase {
        /// The folder.
        path: PathBuf,
    },
    /// The file that the copy was to become is there.
    #[error("the file {} exists, and was left as it is: choose another FILE", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The folder has a database, and nobody said that it may be replaced.
    #[error(
        "the data folder {} has a database, which was left as it is: with --replace it is kept under another \
         name",
        path.display()
    )]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The copy's structure is broken.
    #[error("the database in {} is damaged: {finding}", path.display())]
    Damaged {
        /// What was copied.
        path: PathBuf,
        /// The first thing that is wrong.
        finding: String,
    },
    /// A file cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why it cannot.
        source: io::Error,
    },
    /// Not a database of this program, or one that cannot be used now.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// SQLite refused.
    #[error("the database cannot be copied")]
    Sqlite(#[from] rusqlite::Error),
    /// The database cannot be read.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_owned();
    move |source| CopyError::Io { path, source }
}

/// Copies the database in `folder` to `file`, which must not exist, while a server may be using it. The copy is of one
/// moment, checked, a single file, and on disk when this returns. Returns its size in bytes. Not for the server's own
/// process; see `check`.
pub fn backup(folder: &Path, file: &Path) -> Result<u64, CopyError> {
    let database = folder.join(DATABASE_FILE);
    if !folder.is_dir() || schema::check_untouched(&database)? == Found::Nothing {
        return Err(CopyError::NoDatabase { path: folder.to_owned() });
    }
    refuse_existing(file)?;
    let part = beside(file, ".part");
    let copied = remove(&part)
        .map_err(io_error(&part))
        .and_then(|()| write_copy(&database, &part))
        .and_then(|()| publish(&part, file));
    // Published, it has two names; failed, it is worth nothing.
    remove_with_companions(&part).map_err(io_error(&part))?;
    copied?;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_folder(parent).map_err(io_error(parent))?;
    Ok(fs::metadata(file).map_err(io_error(file))?.len())
}

fn refuse_existing(file: &Path) -> Result<(), CopyError> {
    match file.symlink_metadata() {
        Ok(_) => Err(CopyError::Exists { path: file.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(file)(error)),
    }
}

/// Copies `database` to `part`, as one file.
fn write_copy(database: &Path, part: &Path) -> Result<(), CopyError> {
    // Made here, so that a folder that is not there is told as such.
    File::create_new(part).map_err(io_error(part))?;
    let source = open_reader(database)?;
    let mut copy = Connection::open(part)?;
    copy_pages(&source, &mut copy)?;
    copy.pragma_update(None, "journal_mode", "delete")?;
    schema::migrate(&mut copy)?;
    // Put in the place of a database by hand, it is known for an older copy.
    incarnation::disown(&mut copy)?;
    refuse_damage(&copy, database)?;
    copy.close().map_err(|(_, error)| error)?;
    File::open(part).and_then(|file| file.sync_all()).map_err(io_error(part))
}

/// All pages in one step: a copy of one moment. Readers and the writer go on beside it.
fn copy_pages(source: &Connection, copy: &mut Connection) -> Result<(), CopyError> {
    let backup = Backup::new(source, copy)?;
    for _ in 0..BUSY_TRIES {
        if backup.step(-1)? == StepResult::Done {
            return Ok(());
        }
        std::thread::sleep(BUSY_PAUSE);
    }
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    Err(rusqlite::Error::SqliteFailure(busy, None).into())
}

fn refuse_damage(connection: &Connection, named: &Path) -> Result<(), CopyError> {
    match damage::quick_check(connection)? {
        None => Ok(()),
        Some(finding) => Err(CopyError::Damaged { path: named.to_owned(), finding }),
    }
}

/// Gives the finished copy its name, unless a file has got that name meanwhile.
fn publish(part: &Path, file: &Path) -> Result<(), CopyError> {
    match fs::hard_link(part, file) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(CopyError::Exists { path: file.to_owned() })
        }
        // File systems without second names.
        Err(_) => {
            refuse_existing(file)?;
            fs::rename(part, file).map_err(io_error(file))
        }
    }
}

/// What came of putting a copy in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The events that the restored database has.
    pub events: u64,
    /// Where the database is kept that was there before.
    pub replaced: Option<PathBuf>,
}

/// Puts the database in `file` in the place of the one in `folder`. Its rooms get new epochs, so that every client
/// reads them anew. `file` stays as it is; a database that is there is kept under a name with the date, and only
/// replaced when `replace` says so. Refused while a server uses the folder.
pub fn restore(folder: &Path, file: &Path, replace: bool) -> Result<Restored, CopyError> {
    make_folder(folder).map_err(io_error(folder))?;
    let _lock = lock(folder)?;
    let database = folder.join(DATABASE_FILE);
    let occupied = fs::metadata(&database).is_ok_and(|metadata| metadata.len() > 0);
    if occupied && !replace {
        return Err(CopyError::Occupied { path: folder.to_owned() });
    }
    let new = folder.join(RESTORING);
    remove_with_companions(&new).map_err(io_error(&new))?;
    let restored = prepare(file, &new).and_then(|(head, date)| {
        let replaced = keep_aside(folder, &database, occupied, &date)?;
        fs::rename(&new, &database).map_err(io_error(&database))?;
        sync_folder(folder).map_err(io_error(folder))?;
        let closed = Stamp::of(&database).map_err(io_error(&database))?;
        HeadFile::write(folder, Head { closed: Some(closed), ..head })?;
        Ok(Restored { events: head.events, replaced })
    });
    remove_with_companions(&new).map_err(io_error(&new))?;
    restored
}

/// Copies `file` to `new`, checks it, and makes it a database whose past is its own. Returns its head and the date.
fn prepare(file: &Path, new: &Path) -> Result<(Head, String), CopyError> {
    fs::copy(file, new).map_err(io_error(file))?;
    let log = beside(file, "-wal");
    if log.exists() {
        fs::copy(&log, beside(new, "-wal")).map_err(io_error(&log))?;
    }
    let naming_file = |error| match error {
        OpenError::Foreign { .. } => OpenError::Foreign { path: file.to_owned() },
        other => other.naming_file(file.to_owned()),
    };
    match schema::check_untouched(new).map_err(naming_file)? {
        Found::Nothing => return Err(OpenError::Foreign { path: file.to_owned() }.into()),
        Found::Database | Found::Interrupted => {}
    }
    let mut connection = Connection::open(new)?;
    schema::check(&connection, new).map_err(naming_file)?;
    let finding: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| naming_file(error.into()))?;
    if finding != "ok" {
        return Err(CopyError::Damaged { path: file.to_owned(), finding });
    }
    configure_writer(&connection)?;
    schema::migrate(&mut connection)?;
    let head = incarnation::renew(&mut connection)?;
    let date = connection.query_row("SELECT strftime('%Y-%m-%dT%H-%M-%SZ', 'now')", [], |row| row.get(0))?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)?;
    File::open(new).and_then(|file| file.sync_all()).map_err(io_error(new))?;
    Ok((head, date))
}

/// Gives the database that is there, if there is one, a second name. It keeps the first one until another database
/// takes it, so that there is one at every moment. A write-ahead log whose database is gone goes aside as well:
/// SQLite would replay it over the database that comes.
fn keep_aside(
    folder: &Path,
    database: &Path,
    occupied: bool,
    date: &str,
) -> Result<Option<PathBuf>, CopyError> {
    // Into one file, if it can be read; a damaged one is kept as it is.
    if occupied && let Ok(connection) = Connection::open(database) {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).ok();
    }
    let name = |number: u32| match number {
        1 => folder.join(format!("{DATABASE_FILE}.replaced-{date}")),
        _ => folder.join(format!("{DATABASE_FILE}.replaced-{date}-{number}")),
    };
    let is_free = |path: &PathBuf| !path.exists() && !beside(path, "-wal").exists();
    let aside = (1..).map(name).find(is_free).expect("some number is free");
    let log = beside(database, "-wal");
    if log.exists() {
        second_name(&log, &beside(&aside, "-wal"))?;
    }
    if occupied {
        second_name(database, &aside)?;
    }
    // They belong to the file that is put aside, and would be taken for those of the new one.
    for suffix in ["-wal", "-shm", "-journal"] {
        let companion = beside(database, suffix);
        remove(&companion).map_err(io_error(&companion))?;
    }
    Ok(occupied.then_some(aside))
}

fn second_name(from: &Path, to: &Path) -> Result<(), CopyError> {
    // Where there are no second names the file moves.
    fs::hard_link(from, to).or_else(|_| fs::rename(from, to)).map_err(io_error(to))
}

fn remove_with_companions(path: &Path) -> io::Result<()> {
    ["", "-wal", "-shm", "-journal"].into_iter().try_for_each(|suffix| remove(&beside(path, suffix)))
}

/// Removes a file if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
