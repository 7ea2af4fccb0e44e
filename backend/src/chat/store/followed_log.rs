//! The table `followed_log`: which log this database follows, and how far. It has no row on a server without a log.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::log::{LogId, Position};
use super::{OpenError, StoreError, WriteStore};

/// The log that a database follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) struct FollowedLog {
    pub(in crate::chat) id: LogId,
    /// The last entry that was applied.
    pub(in crate::chat) applied: Position,
    /// SHA-256 of that entry; zeros before the first.
    pub(in crate::chat) chain: [u8; 32],
}

/// Refuses a database that does not belong to `log`: with a log, only one that follows it, or that is new; without one, only one
/// that follows none. A new database begins to follow the log.
pub(super) fn begin(connection: &Connection, log: Option<LogId>) -> Result<(), OpenError> {
    match (read(connection)?, log) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(OpenError::FollowsLog),
        (Some(followed), Some(log)) if followed.id == log => Ok(()),
        (Some(_), Some(_)) => Err(OpenError::OtherLog { reason: "it follows another log" }),
        (None, Some(log)) if is_new(connection)? => Ok(follow(connection, log, 0)?),
        (None, Some(_)) => Err(OpenError::OtherLog { reason: "it has a chat of its own" }),
    }
}

/// Lets a database that follows no log follow `log`, as one that has everything up to `applied`.
pub(super) fn follow(connection: &Connection, log: LogId, applied: Position) -> Result<(), rusqlite::Error> {
    connection
        .execute(
            "INSERT INTO followed_log (one, id, applied, chain) VALUES (1, ?1, ?2, zeroblob(32))",
            params![log.0, applied],
        )
        .map(drop)
}

/// Lets the database follow no log, as a copy that becomes a chat of its own.
pub(super) fn detach(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute("DELETE FROM followed_log", []).map(drop)
}

/// Whether the database has no rooms: every chat has one.
pub(super) fn is_new(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM rooms)", [], |row| row.get(0))
}

pub(super) fn read(connection: &Connection) -> Result<Option<FollowedLog>, rusqlite::Error> {
    connection
        .query_row("SELECT id, applied, chain FROM followed_log", [], |row| {
            Ok(FollowedLog { id: LogId(row.get(0)?), applied: row.get(1)?, chain: row.get(2)? })
        })
        .optional()
}

impl WriteStore {
    /// The log that the database follows.
    pub(in crate::chat) fn followed_log(&self) -> Result<Option<FollowedLog>, StoreError> {
        Ok(read(&self.connection)?)
    }

    /// Records, as part of the open transaction, that an entry was applied.
    pub(in crate::chat) fn record_applied(
        &self,
        applied: Position,
        chain: &[u8; 32],
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE followed_log SET applied = ?1, chain = ?2")?
            .execute(params![applied, chain])?;
        Ok(())
    }
}
