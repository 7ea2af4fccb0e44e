//! The writer's transactions: their beginning and end, what is looked at before a commit counts, and the write-ahead
//! log's way into the database file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;

use super::identity::Identity;
use super::{StoreError, WriteStore, incarnation};

/// Pages in the write-ahead log after which the writer copies them into the database file (16 MiB): rarely
/// enough that sends do not feel it, often enough that the log stays small.
const CHECKPOINT_PAGES: u32 = 4_096;

impl WriteStore {
    /// `identity` is that of the files that `connection` has open.
    pub(super) fn new(mut connection: Connection, identity: Identity) -> Result<Self, rusqlite::Error> {
        let log_pages = Arc::<AtomicU32>::default();
        let seen = log_pages.clone();
        // In the place of SQLite's own checkpoints: nobody but this writer writes to the database file, and it knows when.
        connection.wal_hook(Some(move |_: &mut Wal, pages: i32| {
            seen.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { connection, identity, log_pages })
    }

    pub(in crate::chat) fn begin(&self) -> Result<(), StoreError> {
        self.run("BEGIN IMMEDIATE")
    }

    /// Returns when everything since [`begin`](Self::begin) is on disk, in files that the next start finds. After
    /// [`StoreError::Replaced`] it is on disk, in files that it may not find.
    pub(in crate::chat) fn commit(&self) -> Result<(), StoreError> {
        self.run("COMMIT")?;
        // After the commit and not before it: what was removed in between is noticed, too.
        self.identity.check()?;
        if self.log_pages.load(Ordering::Relaxed) >= CHECKPOINT_PAGES {
            self.checkpoint();
        }
        Ok(())
    }

    /// Copies what is in the write-ahead log into the database file, as far as no reader needs it. What fails here is
    /// tried again after the next commit; the log has everything.
    fn checkpoint(&self) {
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::debug!(%error, "the write-ahead log cannot be copied into the database file");
        }
        self.identity.note_written();
    }

    /// Whether the names of the files lead to those that were opened.
    pub(in crate::chat) fn check_files(&self) -> Result<(), StoreError> {
        self.identity.check()
    }

    /// Writes a row that means nothing, to find out whether the disk takes it.
    pub(in crate::chat) fn probe(&self, now_ms: i64) -> Result<(), StoreError> {
        self.begin()?;
        incarnation::probe(&self.connection, now_ms).and_then(|()| self.commit()).inspect_err(|_| {
            // What is left of the transaction would make the next one fail. This one is the error to be told.
            self.roll_back().ok();
        })
    }

    /// When the write-ahead log has lost its name, and the database has not: copies the log's content, which this
    /// connection still has, into the database. Returns whether all of it is there now.
    pub(in crate::chat) fn save_nameless_log(&self) -> Result<bool, StoreError> {
        if !self.identity.only_log_is_gone() {
            return Ok(false);
        }
        let saved = |row: &rusqlite::Row<'_>| {
            Ok(row.get::<_, i64>(0)? == 0 && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
        };
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(FULL)", [], saved)?)
    }

    /// Undoes everything since [`begin`](Self::begin). SQLite may have done so by itself.
    pub(in crate::chat) fn roll_back(&self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() { Ok(()) } else { self.run("ROLLBACK") }
    }

    fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Copies the write-ahead log into the database file and closes it.
    pub(in crate::chat) fn close(self) -> Result<(), StoreError> {
        if let Err(error) = self.identity.check() {
            self.close_as_it_is()?;
            return Err(error);
        }
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        self.connection.close().map_err(|(_, error)| error.into())
    }

    /// Closes the database and touches no file. SQLite would copy the log into a damaged database, and remove the log by
    /// its name, which may be another's.
    pub(in crate::chat) fn close_as_it_is(self) -> Result<(), StoreError> {
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        self.connection.close().map_err(|(_, error)| error.into())
    }
}
