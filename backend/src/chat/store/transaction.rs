//! The writer's transactions, the checks before a commit counts, and checkpoints of the write-ahead log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;

use super::identity::Identity;
use super::{StoreError, WriteStore, incarnation};

/// Size of the write-ahead log at which the writer checkpoints it, pages (16 MiB): rare enough not to slow down sends,
/// frequent enough to keep the log small.
const CHECKPOINT_PAGES: u32 = 4_096;

impl WriteStore {
    /// `identity` describes the files that `connection` has open.
    pub(super) fn new(mut connection: Connection, identity: Identity) -> Result<Self, rusqlite::Error> {
        let log_pages = Arc::<AtomicU32>::default();
        let seen = log_pages.clone();
        // Replaces SQLite's automatic checkpoints, so that only this writer writes to the database file, and knows when.
        connection.wal_hook(Some(move |_: &mut Wal, pages: i32| {
            seen.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { connection, identity, log_pages })
    }

    pub(in crate::chat) fn begin(&self) -> Result<(), StoreError> {
        self.run("BEGIN IMMEDIATE")
    }

    /// Returns when everything since [`begin`](Self::begin) is on disk, in files that the next start will find. With
    /// [`StoreError::Replaced`] it is on disk, but in files that the next start may not find.
    pub(in crate::chat) fn commit(&self) -> Result<(), StoreError> {
        self.run("COMMIT")?;
        // After the commit, so that a removal before its end is noticed.
        self.identity.check()?;
        if self.log_pages.load(Ordering::Relaxed) >= CHECKPOINT_PAGES {
            self.checkpoint();
        }
        Ok(())
    }

    /// Copies the write-ahead log into the database file, as far as no reader needs it. A failure is retried after the next
    /// commit; the log still has everything.
    fn checkpoint(&self) {
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::debug!(%error, "the write-ahead log cannot be copied into the database file");
        }
        self.identity.record_own_write();
    }

    /// Checks that the names of the files lead to those that were opened.
    pub(in crate::chat) fn check_files(&self) -> Result<(), StoreError> {
        self.identity.check()
    }

    /// Tests whether the disk accepts writes, with a row that has no meaning.
    pub(in crate::chat) fn probe(&self, now_ms: i64) -> Result<(), StoreError> {
        self.begin()?;
        incarnation::probe(&self.connection, now_ms).and_then(|()| self.commit()).inspect_err(|_| {
            // An open transaction would make the next one fail. The first error is the one to return.
            self.roll_back().ok();
        })
    }

    /// Saves the content of a write-ahead log that was removed, and whose database was not: copies it into the database
    /// through this connection, which still has it open. Returns whether all of it was copied.
    pub(in crate::chat) fn save_nameless_log(&self) -> Result<bool, StoreError> {
        if !self.identity.only_log_is_gone() {
            return Ok(false);
        }
        let saved = |row: &rusqlite::Row<'_>| {
            Ok(row.get::<_, i64>(0)? == 0 && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
        };
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(FULL)", [], saved)?)
    }

    /// Rolls back everything since [`begin`](Self::begin). SQLite may have done so already.
    pub(in crate::chat) fn roll_back(&self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() { Ok(()) } else { self.run("ROLLBACK") }
    }

    fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Checkpoints the write-ahead log and closes the database.
    pub(in crate::chat) fn close(self) -> Result<(), StoreError> {
        if let Err(error) = self.identity.check() {
            self.close_as_it_is()?;
            return Err(error);
        }
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        self.connection.close().map_err(|(_, error)| error.into())
    }

    /// Closes the database without touching any file. Otherwise SQLite would checkpoint into a damaged database, and remove
    /// the log by its name, which may be another database's by now.
    pub(in crate::chat) fn close_as_it_is(self) -> Result<(), StoreError> {
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        self.connection.close().map_err(|(_, error)| error.into())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::identity::with_suffix;
    use super::super::open;
    use super::*;

    #[test]
    fn removed_log_is_saved_and_one_in_its_place_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(folder.path(), None).unwrap();
        opened.store.probe(7).unwrap();
        assert!(!opened.store.save_nameless_log().unwrap(), "the next start finds the log");
        std::fs::remove_file(with_suffix(&opened.path, "-wal")).unwrap();

        assert!(opened.store.save_nameless_log().unwrap());

        opened.store.close_as_it_is().unwrap();
        let saved = Connection::open(&opened.path).unwrap();
        assert_eq!(incarnation::written_ms(&saved).unwrap(), 7);
    }
}
