//! Backup and restore: copies of the database while a server uses it, and the replacement of the database with a copy.
//!
//! Knows files and settings; `check.rs` knows the content.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::head::{HEAD_FILE, Head, HeadFile, Stamp, sync_folder};
use super::identity::with_suffix;
use super::schema::{self, Found};
use super::{
    DATABASE_FILE, OpenError, StoreError, configure_writer, damage, incarnation, lock, make_folder,
    open_reader,
};

/// Delay between two attempts while another program holds the database's lock.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Maximum number of attempts.
const BUSY_TRIES: u32 = 500;

/// File name of a database that is being restored.
const RESTORING: &str = "chinwag.db.restoring";

/// Why a backup or a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The folder has no database.
    #[error("the data folder {} has no database; name another one with --data", path.display())]
    NoDatabase {
        /// The folder.
        path: PathBuf,
    },
    /// The destination file exists.
    #[error("the file {} exists, and was left as it is: choose another FILE", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The folder has a database, and replacing it was not requested.
    #[error(
        "the data folder {} has a database, which was left as it is: --replace keeps it under another name and \
         replaces it",
        path.display()
    )]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The copy's structure is broken.
    #[error("the database in {} is damaged: {finding}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// The first defect.
        finding: String,
    },
    /// The log's copy of the database cannot be used.
    #[error("the log's copy of the database cannot be used")]
    Unusable(#[source] Box<CopyError>),
    /// A database does not follow the log, or is not where the log says.
    #[error("the database {difference}")]
    OtherLog {
        /// The difference.
        difference: &'static str,
    },
    /// The database has events that the log's copy does not have.
    #[error(
        "the log's copy of the database does not continue the database {}, which was left as it is: the log has lost \
         what this one has; to start from the copy, move this one away",
        path.display()
    )]
    Diverged {
        /// The database.
        path: PathBuf,
    },
    /// A file cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is not a database of this program, or cannot be used now.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// SQLite returned an error.
    #[error("the database cannot be copied")]
    Sqlite(#[from] rusqlite::Error),
    /// The database cannot be read.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_owned();
    move |source| CopyError::Io { path, source }
}

/// Copies the database in `folder`, which a server may be using, to the new file `file`. The copy shows a single moment, is
/// checked, consists of a single file, and is on disk when this returns. Returns its size in bytes. Must not be called in
/// the server's process; see [`check`](super::check).
pub fn backup(folder: &Path, file: &Path) -> Result<u64, CopyError> {
    let database = folder.join(DATABASE_FILE);
    if !folder.is_dir() || schema::check_read_only(&database)? == Found::Nothing {
        return Err(CopyError::NoDatabase { path: folder.to_owned() });
    }
    refuse_existing(file)?;
    let part = with_suffix(file, ".part");
    let copied = remove(&part)
        .map_err(io_error(&part))
        // If it is copied into place by hand, it has to count as an older copy.
        .and_then(|()| write_copy(&database, &part, |copy| Ok(incarnation::detach(copy)?)))
        .and_then(|()| publish(&part, file));
    // After success it has a second name; after a failure it is worthless.
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

/// Copies `database` to `part`, as one file, and lets `change` change the copy.
pub(super) fn write_copy(
    database: &Path,
    part: &Path,
    change: impl FnOnce(&mut Connection) -> Result<(), CopyError>,
) -> Result<(), CopyError> {
    // Created here, so that the error names a missing folder.
    File::create_new(part).map_err(io_error(part))?;
    let source = open_reader(database)?;
    let mut copy = Connection::open(part)?;
    copy_pages(&source, &mut copy)?;
    copy.pragma_update(None, "journal_mode", "delete")?;
    schema::migrate(&mut copy)?;
    change(&mut copy)?;
    refuse_damage(&copy, database)?;
    copy.close().map_err(|(_, error)| error)?;
    File::open(part).and_then(|file| file.sync_all()).map_err(io_error(part))
}

/// Copies all pages in one step, so that the copy shows a single moment. Readers and the writer are not blocked.
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

pub(super) fn refuse_damage(connection: &Connection, named: &Path) -> Result<(), CopyError> {
    match damage::quick_check(connection)? {
        None => Ok(()),
        Some(finding) => Err(CopyError::Damaged { path: named.to_owned(), finding }),
    }
}

/// Gives the finished copy its name, unless a file with that name exists by now.
fn publish(part: &Path, file: &Path) -> Result<(), CopyError> {
    match fs::hard_link(part, file) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(CopyError::Exists { path: file.to_owned() })
        }
        // The file system has no hard links.
        Err(_) => {
            refuse_existing(file)?;
            fs::rename(part, file).map_err(io_error(file))
        }
    }
}

/// Result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Number of events in the restored database.
    pub events: u64,
    /// Path of the previous database, if there was one.
    pub replaced: Option<PathBuf>,
}

/// Replaces the database in `folder` with the one in `file`. Its rooms get new epochs, so that every client reloads them.
/// `file` stays unchanged. An existing database is replaced only with `replace`, and is kept under a name with the date.
/// Fails while a server uses the folder.
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

/// Gives the database in `folder`, which the caller has locked, another name, with the date: the folder has none then. Returns the
/// name.
pub(in crate::chat) fn set_aside(folder: &Path) -> Result<PathBuf, CopyError> {
    let database = folder.join(DATABASE_FILE);
    let date = date(&Connection::open_in_memory()?)?;
    let aside = keep_aside(folder, &database, true, &date)?;
    // Its content has the other name now, and the head file belongs to it.
    for file in [database, folder.join(HEAD_FILE)] {
        remove(&file).map_err(io_error(&file))?;
    }
    sync_folder(folder).map_err(io_error(folder))?;
    aside.ok_or_else(|| CopyError::NoDatabase { path: folder.to_owned() })
}

/// The date in the name of a database that was put aside.
fn date(connection: &Connection) -> Result<String, rusqlite::Error> {
    connection.query_row("SELECT strftime('%Y-%m-%dT%H-%M-%SZ', 'now')", [], |row| row.get(0))
}

/// Copies `file` to `new`, checks it, and gives it a new incarnation. Returns its head and the date.
fn prepare(file: &Path, new: &Path) -> Result<(Head, String), CopyError> {
    fs::copy(file, new).map_err(io_error(file))?;
    let log = with_suffix(file, "-wal");
    if log.exists() {
        fs::copy(&log, with_suffix(new, "-wal")).map_err(io_error(&log))?;
    }
    let with_path = |error| match error {
        OpenError::Foreign { .. } => OpenError::Foreign { path: file.to_owned() },
        other => other.with_path(file.to_owned()),
    };
    match schema::check_read_only(new).map_err(with_path)? {
        Found::Nothing => return Err(OpenError::Foreign { path: file.to_owned() }.into()),
        Found::Database | Found::Interrupted => {}
    }
    let mut connection = Connection::open(new)?;
    schema::check(&connection, new).map_err(with_path)?;
    let finding: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| with_path(error.into()))?;
    if finding != "ok" {
        return Err(CopyError::Damaged { path: file.to_owned(), finding });
    }
    configure_writer(&connection)?;
    schema::migrate(&mut connection)?;
    let head = incarnation::renew(&mut connection)?;
    let date = date(&connection)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)?;
    File::open(new).and_then(|file| file.sync_all()).map_err(io_error(new))?;
    Ok((head, date))
}

/// Gives an existing database a second name. It keeps its first name until another database takes that, so that there is a
/// database at every moment. The write-ahead log of a database that is gone is kept as well: SQLite would replay it over
/// the restored database.
fn keep_aside(
    folder: &Path,
    database: &Path,
    occupied: bool,
    date: &str,
) -> Result<Option<PathBuf>, CopyError> {
    // Merges the log into the database if it can be read; a damaged one is kept as it is.
    if occupied && let Ok(connection) = Connection::open(database) {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).ok();
    }
    let name = |number: u32| match number {
        1 => folder.join(format!("{DATABASE_FILE}.replaced-{date}")),
        _ => folder.join(format!("{DATABASE_FILE}.replaced-{date}-{number}")),
    };
    let is_free = |path: &PathBuf| !path.exists() && !with_suffix(path, "-wal").exists();
    let aside = (1..).map(name).find(is_free).expect("some number is free");
    let log = with_suffix(database, "-wal");
    if log.exists() {
        second_name(&log, &with_suffix(&aside, "-wal"))?;
    }
    if occupied {
        second_name(database, &aside)?;
    }
    // They belong to the previous database, but SQLite would use them with the new one.
    for suffix in ["-wal", "-shm", "-journal"] {
        let companion = with_suffix(database, suffix);
        remove(&companion).map_err(io_error(&companion))?;
    }
    Ok(occupied.then_some(aside))
}

fn second_name(from: &Path, to: &Path) -> Result<(), CopyError> {
    // Without hard links the file is moved.
    fs::hard_link(from, to).or_else(|_| fs::rename(from, to)).map_err(io_error(to))
}

pub(super) fn remove_with_companions(path: &Path) -> io::Result<()> {
    ["", "-wal", "-shm", "-journal"].into_iter().try_for_each(|suffix| remove(&with_suffix(path, suffix)))
}

/// Removes a file if it exists.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;

    #[test]
    fn existing_file_is_refused_even_if_it_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup.db");
        let is_refused = || matches!(refuse_existing(&file), Err(CopyError::Exists { path }) if path == file);
        refuse_existing(&file).unwrap();
        fs::write(&file, "precious").unwrap();
        assert!(is_refused());
        #[cfg(unix)]
        {
            fs::remove_file(&file).unwrap();
            std::os::unix::fs::symlink(folder.path().join("nowhere"), &file).unwrap();
            assert!(is_refused());
        }
    }

    #[test]
    fn empty_file_is_restored_over_like_none_and_a_database_is_not() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(open(from.path(), None).unwrap());
        let file = from.path().join("backup.db");
        backup(from.path(), &file).unwrap();
        fs::write(into.path().join(DATABASE_FILE), "").unwrap();

        let restored = restore(into.path(), &file, false).unwrap();

        assert_eq!(restored, Restored { events: 0, replaced: None });
        assert!(matches!(restore(into.path(), &file, false), Err(CopyError::Occupied { .. })));
        let replaced = restore(into.path(), &file, true).unwrap().replaced.unwrap();
        assert!(replaced.metadata().unwrap().len() > 0);
    }
}
