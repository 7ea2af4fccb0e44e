//! The chat's database: one SQLite file, one connection that writes, a few that read.
//!
//! Knows tables and transactions; nothing of streams, sessions in memory, or gRPC. What a caller is told is
//! on disk is on disk: write-ahead log, `synchronous=FULL`.

mod read;
mod readers;
mod schema;
mod write;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub(super) use self::read::{EventsPage, page, replay_page, rooms, session};
pub(super) use self::readers::{Purpose, Readers, Requester};
pub(super) use self::write::{Append, RoomRow, WriteStore};

/// The database's file name in the data folder.
pub const DATABASE_FILE: &str = "chinwag.db";

/// The file whose lock says that a server uses the data folder. It stays empty and is never removed; the
/// lock ends with the process, however that ends.
pub const LOCK_FILE: &str = "chinwag.lock";

/// Pages in the write-ahead log after which the writer copies them into the database file (16 MiB): rarely
/// enough that sends do not feel it, often enough that the log stays small.
const CHECKPOINT_PAGES: u32 = 4_096;

/// How long a connection waits for another one's lock. Readers never wait in WAL mode; this is for the
/// moments of recovery and closing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements kept per connection; more than there are.
const STATEMENTS: usize = 64;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// What was to be used.
        path: PathBuf,
        /// Why it cannot.
        source: std::io::Error,
    },
    /// Another process serves this folder.
    #[error("another server uses the data folder {}: stop it, or choose another folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Written by a later version of this program.
    #[error(
        "the database is of version {found}, and this program knows versions up to {known}: it was left \
         untouched; use the newer program, or another data folder"
    )]
    Newer {
        /// The file's version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// Not a database of this program.
    #[error("the file {DATABASE_FILE} is not a database of this program: it was left untouched")]
    Foreign,
    /// SQLite refused.
    #[error("the database cannot be opened")]
    Sqlite(#[from] rusqlite::Error),
    /// The first room cannot be made, or the rooms cannot be read.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    Random(#[from] getrandom::Error),
    /// The writer's thread cannot be started.
    #[error("the system started no thread")]
    Thread(#[source] std::io::Error),
}

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("sqlite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored event cannot be decoded.
    #[error("a stored event cannot be decoded: {0}")]
    Decode(#[from] prost::DecodeError),
    /// A number that must be there is not.
    #[error("the log of room {room} has a hole after event {after}")]
    Hole {
        /// The room's number in the database.
        room: u32,
        /// The last event before the hole.
        after: u64,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// As many reads wait as may.
    #[error("too many reads wait")]
    Busy,
    /// A read reached a time limit.
    #[error("a read took too long")]
    TookTooLong,
    /// A read panicked.
    #[error("a read panicked")]
    Panicked,
}

/// Holds the data folder for this process until it is dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

/// An open database.
#[derive(Debug)]
pub(super) struct Opened {
    /// The one that writes.
    pub(super) connection: Connection,
    /// Where those that read find it.
    pub(super) path: PathBuf,
    /// To be kept until the database is closed.
    pub(super) lock: FolderLock,
}

/// Opens the database in `folder`, made and migrated if need be.
pub(super) fn open(folder: &Path) -> Result<Opened, OpenError> {
    fs::create_dir_all(folder).map_err(|source| OpenError::Io { path: folder.to_owned(), source })?;
    let lock = lock(folder)?;
    let path = folder.join(DATABASE_FILE);
    schema::check_untouched(&path)?;
    let mut connection = Connection::open(&path)?;
    configure(&connection)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    schema::migrate(&mut connection)?;
    Ok(Opened { connection, path, lock })
}

fn open_reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

fn lock(folder: &Path) -> Result<FolderLock, OpenError> {
    let path = folder.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(|source| OpenError::Io { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_database_is_refused_and_left_untouched_byte_for_byte() {
        // Once in the file itself, once only in a write-ahead log that was never copied into it.
        for in_log_only in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(DATABASE_FILE);
            drop(open(folder.path()).unwrap());
            let newer = Connection::open(&path).unwrap();
            newer
                .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, in_log_only)
                .unwrap();
            newer.pragma_update(None, "user_version", 999).unwrap();
            drop(newer);
            let wal = folder.path().join("chinwag.db-wal");
            let before = (fs::read(&path).unwrap(), fs::read(&wal).ok());
            assert_eq!(before.1.is_some(), in_log_only, "the log is left only where it was asked for");

            let error = open(folder.path()).unwrap_err();

            assert!(matches!(error, OpenError::Newer { known: 1, .. }), "{error}");
            assert!(error.to_string().contains("left untouched"), "{error}");
            assert!((fs::read(&path).unwrap(), fs::read(&wal).ok()) == before, "the files changed");
        }
    }

    #[test]
    fn a_file_of_another_program_is_refused_and_left_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE_FILE);
        for make in [
            |path: &Path| fs::write(path, b"dear diary").unwrap(),
            |path: &Path| {
                fs::remove_file(path).unwrap();
                Connection::open(path).unwrap().execute_batch("CREATE TABLE diary (x)").unwrap();
            },
        ] {
            make(&path);
            let before = fs::read(&path).unwrap();
            assert!(matches!(open(folder.path()).unwrap_err(), OpenError::Foreign));
            assert_eq!(fs::read(&path).unwrap(), before);
        }
    }

    #[test]
    fn one_folder_serves_one_server() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path()).unwrap();
        assert!(matches!(open(folder.path()).unwrap_err(), OpenError::InUse { .. }));
        drop(first);
        open(folder.path()).unwrap();
    }

    #[test]
    fn writes_are_synchronous_and_logged_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open(folder.path()).unwrap().connection;
        let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        assert_eq!((journal.as_str(), synchronous), ("wal", 2));
    }
}
