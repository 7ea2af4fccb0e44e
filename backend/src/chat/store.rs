//! The chat's database: one SQLite file, one writing connection, several reading ones.
//!
//! Knows tables and transactions, but no streams, session cache or gRPC. A commit is durable when it returns: write-ahead
//! log, `synchronous=FULL`.

mod apply;
mod check;
mod compare;
mod copy;
mod damage;
mod error;
mod followed_log;
mod head;
mod identity;
mod incarnation;
mod names;
mod read;
mod readers;
mod schema;
mod snapshot;
mod sweep;
mod transaction;
mod users;
mod write;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use self::head::{Stamp, sync_folder};
use self::identity::Identity;
use super::log::LogId;

pub use self::check::{CheckReport, MAX_FINDINGS, check};
pub use self::compare::{RoomDifference, Surplus};
pub use self::copy::{CopyError, Restored, backup, restore};
pub use self::error::{OpenError, StoreError};
pub use self::head::HEAD_FILE;
pub use self::snapshot::{Snapshot, snapshot};

pub(super) use self::compare::{compare, followed};
pub(super) use self::copy::set_aside;
pub(super) use self::damage::{DamageCheck, report as report_damage};
pub(super) use self::followed_log::FollowedLog;
pub(super) use self::head::HeadFile;
pub(super) use self::read::{
    EventsPage, StoredMarker, fingerprint_at, page, replay_page, rooms, session, sessions,
};
pub(super) use self::readers::{Purpose, Readers, Requester};
pub(super) use self::snapshot::{CopyFile, check_snapshot, first_snapshot, install_snapshot};
pub(super) use self::sweep::Expired;
pub(super) use self::write::{OperationEvent, RoomRow, WriteStore};

/// File name of the database in the data folder.
pub const DATABASE_FILE: &str = "chinwag.db";

/// The file whose lock marks the data folder as in use. It stays empty and is never removed; the lock ends with the
/// process.
pub const LOCK_FILE: &str = "chinwag.lock";

/// Longest wait for another connection's lock. Readers never wait in WAL mode; this is for recovery and closing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements cached per connection; more than there are.
const CACHED_STATEMENTS: usize = 64;

/// The lock of the data folder, released when dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

/// An open database.
#[derive(Debug)]
pub(super) struct Opened {
    /// The writing connection.
    pub(super) store: WriteStore,
    /// The database file, for the reading connections.
    pub(super) path: PathBuf,
    /// To be held until the database is closed.
    pub(super) lock: FolderLock,
    /// The head file, for the writer's maintenance.
    pub(super) head: HeadFile,
    /// Whether the database has to be checked: the last server did not close it, or another program wrote to it since.
    pub(super) needs_check: bool,
}

/// Opens the database in `folder`, and creates or migrates it if needed. With a log, the commits need not be durable: the log has
/// them.
pub(super) fn open(folder: &Path, log: Option<LogId>) -> Result<Opened, OpenError> {
    let path = folder.join(DATABASE_FILE);
    open_files(folder, &path, log).map_err(|error| error.with_path(path))
}

fn open_files(folder: &Path, path: &Path, log: Option<LogId>) -> Result<Opened, OpenError> {
    make_folder(folder).map_err(|source| OpenError::Io { path: folder.to_owned(), source })?;
    let lock = lock(folder)?;
    let head = HeadFile::read(folder)?;
    let found = schema::check_read_only(path)?;
    // Before SQLite may write to the file.
    let as_it_was_closed = Stamp::of(path).ok();
    let mut connection = Connection::open(path)?;
    if found == schema::Found::Interrupted {
        // SQLite rolls the interrupted transaction back when it reads. Only then is it known whose file it is.
        schema::check(&connection, path)?;
    }
    configure_writer(&connection)?;
    require_durable(&connection)?;
    if schema::migrate(&mut connection)? == 0 {
        announce_new(path, head.is_some());
    }
    names::update_keys(&mut connection)?;
    followed_log::begin(&connection, log)?;
    if log.is_some() {
        connection.pragma_update(None, "synchronous", "normal")?;
    }
    let needs_check = found != schema::Found::Nothing
        && (head.is_none() || head.and_then(|head| head.closed) != as_it_was_closed);
    let head = incarnation::begin(&mut connection, folder, head, log.is_none())?;
    let identity =
        Identity::of(&connection, path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let store = WriteStore::new(connection, identity)?;
    Ok(Opened { store, path: path.to_owned(), lock, head, needs_check })
}

fn announce_new(path: &Path, had_another: bool) {
    let path = path.display();
    if had_another {
        tracing::warn!("made a new database at {path}; the one that was here is gone, and its chat with it");
    } else {
        tracing::info!("made a new database at {path}");
    }
}

/// Creates `folder` durably if it does not exist.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    match folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => {
            make_folder(parent)?;
            fs::create_dir_all(folder)?;
            sync_folder(parent)
        }
        None => fs::create_dir_all(folder),
    }
}

fn open_reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(())
}

fn configure_writer(connection: &Connection) -> Result<(), rusqlite::Error> {
    configure(connection)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // On macOS a plain fsync does not reach the disk. Other systems ignore these two.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)
}

/// Refuses a connection whose commits would not be durable. For example, SQLite silently keeps its rollback journal on a file
/// system without shared memory.
fn require_durable(connection: &Connection) -> Result<(), OpenError> {
    let read = |sql: &str| {
        connection.query_row(sql, [], |row| {
            let value: rusqlite::types::Value = row.get(0)?;
            Ok(match value {
                rusqlite::types::Value::Text(text) => text,
                rusqlite::types::Value::Integer(number) => number.to_string(),
                other => format!("{other:?}"),
            })
        })
    };
    for (setting, sql, needed) in DURABLE_SETTINGS {
        let found = read(sql)?;
        if found != needed {
            return Err(OpenError::NotDurable { setting, found, needed });
        }
    }
    Ok(())
}

/// The settings that durable commits need: name, query, and required value.
const DURABLE_SETTINGS: [(&str, &str, &str); 6] = [
    ("journal_mode", "PRAGMA journal_mode", "wal"),
    // FULL syncs the log at every commit. NORMAL would sync it at checkpoints only.
    ("synchronous", "PRAGMA synchronous", "2"),
    ("fullfsync", "PRAGMA fullfsync", "1"),
    ("checkpoint_fullfsync", "PRAGMA checkpoint_fullfsync", "1"),
    // An exclusive lock would keep backups and readers out.
    ("locking_mode", "PRAGMA locking_mode", "normal"),
    ("NO_SYNC", "SELECT sqlite_compileoption_used('NO_SYNC')", "0"),
];

/// Excludes other servers from the folder. Fails while one uses it.
pub(super) fn lock(folder: &Path) -> Result<FolderLock, OpenError> {
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
    fn newer_database_is_refused_and_left_untouched() {
        // Once with the version in the file itself, once only in a write-ahead log.
        for in_log_only in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(DATABASE_FILE);
            drop(open(folder.path(), None).unwrap());
            let newer = Connection::open(&path).unwrap();
            newer
                .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, in_log_only)
                .unwrap();
            newer.pragma_update(None, "user_version", 999).unwrap();
            drop(newer);
            let wal = folder.path().join("chinwag.db-wal");
            let before = (fs::read(&path).unwrap(), fs::read(&wal).ok());
            assert_eq!(before.1.is_some(), in_log_only, "the log is left only where it was asked for");

            let error = open(folder.path(), None).unwrap_err();

            assert!(matches!(error, OpenError::Newer { known: 4, .. }), "{error}");
            assert!(error.to_string().contains("left untouched"), "{error}");
            assert!((fs::read(&path).unwrap(), fs::read(&wal).ok()) == before, "the files changed");
        }
    }

    #[test]
    fn file_of_another_program_is_refused_and_left_untouched() {
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
            assert!(matches!(open(folder.path(), None).unwrap_err(), OpenError::Foreign { .. }));
            assert_eq!(fs::read(&path).unwrap(), before);
        }
    }

    #[test]
    fn data_folder_can_be_opened_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), None).unwrap();
        assert!(matches!(open(folder.path(), None).unwrap_err(), OpenError::InUse { .. }));
        drop(first);
        open(folder.path(), None).unwrap();
    }

    #[test]
    fn connection_without_durable_settings_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE_FILE);
        let refused = |connection: &Connection| match require_durable(connection) {
            Ok(()) => None,
            Err(OpenError::NotDurable { setting, .. }) => Some(setting),
            Err(error) => panic!("{error}"),
        };
        let connection = Connection::open(&path).unwrap();
        assert_eq!(refused(&connection), Some("journal_mode"));
        configure_writer(&connection).unwrap();
        assert_eq!(refused(&connection), None);
        for (setting, value) in [("synchronous", "normal"), ("synchronous", "off"), ("fullfsync", "off")] {
            connection.pragma_update(None, setting, value).unwrap();
            assert_eq!(refused(&connection), Some(setting));
            configure_writer(&connection).unwrap();
        }
        let in_memory = Connection::open_in_memory().unwrap();
        configure_writer(&in_memory).unwrap();
        assert_eq!(refused(&in_memory), Some("journal_mode"));
    }

    #[test]
    fn database_is_checked_unless_it_is_as_the_last_server_left_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), None).unwrap();
        assert!(!first.needs_check, "nothing was there");
        let Opened { store, head, lock, .. } = first;
        store.close().unwrap();
        head.record_closed(0).unwrap();
        drop(lock);

        let closed = open(folder.path(), None).unwrap();
        assert!(!closed.needs_check, "it was closed");
        drop(closed);

        assert!(open(folder.path(), None).unwrap().needs_check, "its server has ended without closing it");
    }
}
