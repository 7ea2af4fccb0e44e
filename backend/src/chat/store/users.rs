//! The queries by which the writer evaluates commands on users and their sessions. Each is part of the transaction that the
//! writer has begun.

use rusqlite::{OptionalExtension as _, Row, params};

use super::super::credentials::{CodeHash, JoinAttempt};
use super::super::session::TokenHash;
use super::super::types::{User, UserKey};
use super::{StoreError, WriteStore};

/// A stored session, for the writer.
#[derive(Clone, Copy, Debug)]
pub(in crate::chat) struct SessionState {
    pub(in crate::chat) token: TokenHash,
    pub(in crate::chat) expires_at_ms: i64,
    /// Whether it has been used since it began.
    pub(in crate::chat) used: bool,
    pub(in crate::chat) last_used_ms: i64,
}

impl WriteStore {
    /// The number of the next user.
    pub(in crate::chat) fn next_user(&self) -> Result<UserKey, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT coalesce(max(key), 0) + 1 FROM users")?;
        Ok(statement.query_row([], |row| row.get(0).map(UserKey))?)
    }

    /// The user who has this name.
    pub(in crate::chat) fn name_holder(&self, name_key: &str) -> Result<Option<UserKey>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT key FROM users WHERE name_key = ?1 AND live = 1")?;
        Ok(statement.query_row([name_key], |row| row.get(0).map(UserKey)).optional()?)
    }

    /// Whether a user is marked as the author of an event.
    pub(in crate::chat) fn is_author(&self, user: UserKey) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT wrote FROM users WHERE key = ?1")?;
        Ok(statement.query_row([user.0], |row| row.get(0)).optional()?.unwrap_or_default())
    }

    /// The user with this recovery code, and whether their name is theirs now.
    pub(in crate::chat) fn user_by_recovery(
        &self,
        recovery: &CodeHash,
    ) -> Result<Option<(User, bool)>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT key, id, name, live FROM users WHERE recovery_hash = ?1")?;
        let found = statement.query_row([recovery.as_bytes()], |row| Ok((user(row)?, row.get(3)?)));
        Ok(found.optional()?)
    }

    /// The user who joined by this attempt after `since_ms`, if their name is still theirs.
    pub(in crate::chat) fn user_of_join(
        &self,
        attempt: &JoinAttempt,
        since_ms: i64,
    ) -> Result<Option<User>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT users.key, users.id, users.name FROM joins JOIN users ON users.key = joins.user
             WHERE joins.attempt_hash = ?1 AND joins.created_at_ms > ?2 AND users.live = 1",
        )?;
        Ok(statement.query_row(params![attempt.as_bytes(), since_ms], user).optional()?)
    }

    /// The session with this token, valid or expired.
    pub(in crate::chat) fn session_state(
        &self,
        token: &TokenHash,
    ) -> Result<Option<SessionState>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT token_hash, expires_at_ms, used, last_used_ms FROM sessions WHERE token_hash = ?1",
        )?;
        Ok(statement.query_row([token.as_bytes()], session_state).optional()?)
    }

    /// All sessions of a user, valid or expired, the most recently used first.
    pub(in crate::chat) fn sessions_of(&self, user: UserKey) -> Result<Vec<SessionState>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT token_hash, expires_at_ms, used, last_used_ms FROM sessions WHERE user = ?1
             ORDER BY last_used_ms DESC",
        )?;
        let sessions = statement.query_map([user.0], session_state)?;
        Ok(sessions.collect::<Result<_, _>>()?)
    }
}

/// The session in the columns token_hash, expires_at_ms, used, last_used_ms.
fn session_state(row: &Row<'_>) -> Result<SessionState, rusqlite::Error> {
    Ok(SessionState {
        token: TokenHash::from_bytes(row.get(0)?),
        expires_at_ms: row.get(1)?,
        used: row.get(2)?,
        last_used_ms: row.get(3)?,
    })
}

/// The user in the first three columns: key, id, name.
fn user(row: &Row<'_>) -> Result<User, rusqlite::Error> {
    let (id, name): (String, String) = (row.get(1)?, row.get(2)?);
    Ok(User { key: UserKey(row.get(0)?), id: id.into(), name: name.into() })
}
