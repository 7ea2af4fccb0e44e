//! Removes expired and unused sessions, and guests who have left without writing anything. Their names become free.

use rusqlite::params;

use super::super::session::TokenHash;
use super::super::types::UserKey;
use super::{StoreError, WriteStore};

/// Maximum number of rows of one kind per transaction: senders wait for it.
const BATCH: usize = 256;

impl WriteStore {
    /// Removes a batch of sessions that expired before `ended_before_ms`, of unused sessions that are older than
    /// `unused_since_ms`, of attempts to join that are as old, and of guests without a session who have written nothing. Returns the removed sessions.
    ///
    /// A guest with an open stream has used their session, even if a full disk prevented storing that.
    pub(in crate::chat) fn sweep(
        &self,
        ended_before_ms: i64,
        unused_since_ms: i64,
        is_connected: impl Fn(UserKey) -> bool,
    ) -> Result<Vec<SessionRef>, StoreError> {
        let (mut ended, mut unused) =
            (self.ended_sessions(ended_before_ms)?, self.unused_sessions(unused_since_ms)?);
        unused.retain(|(_, user)| !is_connected(*user));
        let gone = self.removable_users()?;
        let has_old_joins = self.has_joins_before(unused_since_ms)?;
        if ended.is_empty() && unused.is_empty() && gone.is_empty() && !has_old_joins {
            return Ok(Vec::new());
        }
        self.begin()?;
        let removed = self
            .remove_sessions(ended.iter().chain(&unused))
            .and_then(|()| self.remove_users(&gone))
            .and_then(|()| self.remove_joins_before(unused_since_ms));
        removed.and_then(|()| self.commit()).inspect_err(|_| {
            // An open transaction would make the next one fail. The first error is the one to return.
            self.roll_back().ok();
        })?;
        tracing::debug!(
            sessions.ended = ended.len(),
            sessions.unused = unused.len(),
            users = gone.len(),
            "removed expired and unused sessions and guests who have left"
        );
        ended.append(&mut unused);
        Ok(ended)
    }

    fn ended_sessions(&self, now_ms: i64) -> Result<Vec<SessionRef>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT token_hash, user FROM sessions WHERE expires_at_ms <= ?1 ORDER BY expires_at_ms LIMIT ?2",
        )?;
        let rows = statement.query_map(params![now_ms, BATCH], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn unused_sessions(&self, since_ms: i64) -> Result<Vec<SessionRef>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT token_hash, user FROM sessions WHERE used = 0 AND created_at_ms <= ?1
             ORDER BY created_at_ms LIMIT ?2",
        )?;
        let rows = statement.query_map(params![since_ms, BATCH], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn has_joins_before(&self, before_ms: i64) -> Result<bool, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT 1 FROM joins WHERE created_at_ms <= ?1")?;
        Ok(statement.exists([before_ms])?)
    }

    fn remove_joins_before(&self, before_ms: i64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "DELETE FROM joins WHERE attempt_hash IN (
                     SELECT attempt_hash FROM joins WHERE created_at_ms <= ?1 LIMIT ?2)",
            )?
            .execute(params![before_ms, BATCH])?;
        Ok(())
    }

    /// Guests to remove. The newest user is kept: SQLite would reuse that number.
    fn removable_users(&self) -> Result<Vec<UserKey>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT key FROM users WHERE live = 0 AND wrote = 0 AND key < (SELECT max(key) FROM users) LIMIT ?1",
        )?;
        let rows = statement.query_map([BATCH], |row| row.get(0).map(UserKey))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn remove_sessions<'a>(&self, rows: impl Iterator<Item = &'a SessionRef>) -> Result<(), StoreError> {
        for (token, user) in rows {
            self.connection
                .prepare_cached("DELETE FROM sessions WHERE token_hash = ?1")?
                .execute([token.as_bytes()])?;
            self.free_name_unless_live(*user)?;
        }
        Ok(())
    }

    fn remove_users(&self, users: &[UserKey]) -> Result<(), StoreError> {
        for user in users {
            self.connection.prepare_cached("DELETE FROM markers WHERE user = ?1")?.execute([user.0])?;
            self.connection.prepare_cached("DELETE FROM joins WHERE user = ?1")?.execute([user.0])?;
            self.connection.prepare_cached("DELETE FROM users WHERE key = ?1")?.execute([user.0])?;
        }
        Ok(())
    }
}

/// Token hash and user of a session.
pub(in crate::chat) type SessionRef = (TokenHash, UserKey);

fn row(row: &rusqlite::Row<'_>) -> Result<SessionRef, rusqlite::Error> {
    Ok((TokenHash::from_bytes(row.get(0)?), UserKey(row.get(1)?)))
}
