//! The statements of users and their sessions. Each call is part of the transaction that the writer has begun.

use proto::limits::chat::MAX_SESSIONS_PER_USER;
use rusqlite::{OptionalExtension as _, Row, params};

use super::super::credentials::{CodeHash, JoinAttempt};
use super::super::device::Device;
use super::super::session::TokenHash;
use super::super::types::{User, UserKey};
use super::{StoreError, WriteStore};

/// A session to add.
#[derive(Debug)]
pub(in crate::chat) struct NewSession<'a> {
    pub(in crate::chat) token: &'a TokenHash,
    pub(in crate::chat) device: &'a Device,
    pub(in crate::chat) now_ms: i64,
    pub(in crate::chat) expires_at_ms: i64,
}

impl WriteStore {
    /// Whether a user with a session that is valid at `now_ms` has this name. Removes expired sessions of that name.
    pub(in crate::chat) fn user_name_in_use(&self, name_key: &str, now_ms: i64) -> Result<bool, StoreError> {
        let holder: Option<i64> = self
            .connection
            .prepare_cached("SELECT key FROM users WHERE name_key = ?1 AND live = 1")?
            .query_row([name_key], |row| row.get(0))
            .optional()?;
        let Some(holder) = holder else { return Ok(false) };
        self.connection
            .prepare_cached("DELETE FROM sessions WHERE user = ?1 AND expires_at_ms <= ?2")?
            .execute(params![holder, now_ms])?;
        Ok(!self.free_name_unless_live(UserKey(holder))?)
    }

    /// Adds a user.
    pub(in crate::chat) fn insert_user(
        &self,
        (id, name, name_key): (&str, &str, &str),
        recovery: &CodeHash,
        now_ms: i64,
    ) -> Result<User, StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO users (id, name, name_key, live, created_at_ms, recovery_hash)
                 VALUES (?1, ?2, ?3, 1, ?4, ?5)",
            )?
            .execute(params![id, name, name_key, now_ms, recovery.as_bytes()])?;
        let key = UserKey(self.connection.last_insert_rowid());
        Ok(User { key, id: id.into(), name: name.into() })
    }

    /// Replaces the user's recovery code.
    pub(in crate::chat) fn set_recovery(&self, user: UserKey, recovery: &CodeHash) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE users SET recovery_hash = ?2 WHERE key = ?1")?
            .execute(params![user.0, recovery.as_bytes()])?;
        Ok(())
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

    /// Gives a user their free name back.
    pub(in crate::chat) fn take_name(&self, user: UserKey, name_key: &str) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE users SET live = 1, name_key = ?2 WHERE key = ?1")?
            .execute(params![user.0, name_key])?;
        Ok(())
    }

    /// Remembers an attempt to join, so that it can be repeated.
    pub(in crate::chat) fn insert_join(
        &self,
        attempt: &JoinAttempt,
        user: UserKey,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO joins (attempt_hash, user, created_at_ms) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET user = ?2, created_at_ms = ?3",
            )?
            .execute(params![attempt.as_bytes(), user.0, now_ms])?;
        Ok(())
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

    /// Adds a session. If the user has too many then, ends those that were not used for the longest time and returns them.
    pub(in crate::chat) fn insert_session(
        &self,
        user: UserKey,
        session: &NewSession<'_>,
    ) -> Result<Vec<TokenHash>, StoreError> {
        let NewSession { token, device, now_ms, expires_at_ms } = session;
        self.connection
            .prepare_cached(
                "INSERT INTO sessions
                 (token_hash, user, expires_at_ms, used, created_at_ms, last_used_ms, client, system)
                 VALUES (?1, ?2, ?3, 0, ?4, ?4, ?5, ?6)",
            )?
            .execute(params![
                token.as_bytes(),
                user.0,
                expires_at_ms,
                now_ms,
                device.client,
                device.system
            ])?;
        self.remove_sessions_where(
            "DELETE FROM sessions WHERE token_hash IN (
                 SELECT token_hash FROM sessions WHERE user = ?1 AND token_hash != ?2
                 ORDER BY last_used_ms DESC LIMIT -1 OFFSET ?3)
             RETURNING token_hash",
            params![user.0, token.as_bytes(), MAX_SESSIONS_PER_USER - 1],
        )
    }

    /// Removes all sessions of a user and returns them. The name stays theirs.
    pub(in crate::chat) fn remove_sessions_of(&self, user: UserKey) -> Result<Vec<TokenHash>, StoreError> {
        self.remove_sessions_where("DELETE FROM sessions WHERE user = ?1 RETURNING token_hash", [user.0])
    }

    /// Removes the sessions of a user that were never used, and returns them. The name stays theirs.
    pub(in crate::chat) fn remove_unused_sessions_of(
        &self,
        user: UserKey,
    ) -> Result<Vec<TokenHash>, StoreError> {
        self.remove_sessions_where(
            "DELETE FROM sessions WHERE user = ?1 AND used = 0 RETURNING token_hash",
            [user.0],
        )
    }

    fn remove_sessions_where(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<TokenHash>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let removed = statement.query_map(values, |row| row.get(0).map(TokenHash::from_bytes))?;
        Ok(removed.collect::<Result<_, _>>()?)
    }

    /// Extends a session; false if there is no such session.
    pub(in crate::chat) fn extend_session(
        &self,
        token: &TokenHash,
        now_ms: i64,
        expires_at_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE sessions SET expires_at_ms = max(expires_at_ms, ?3), last_used_ms = max(last_used_ms, ?2)
             WHERE token_hash = ?1",
        )?;
        Ok(statement.execute(params![token.as_bytes(), now_ms, expires_at_ms])? == 1)
    }

    /// Marks a session as used now; false if there is no such session.
    pub(in crate::chat) fn mark_used(&self, token: &TokenHash, now_ms: i64) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE sessions SET used = 1, last_used_ms = max(last_used_ms, ?2) WHERE token_hash = ?1",
        )?;
        Ok(statement.execute(params![token.as_bytes(), now_ms])? == 1)
    }

    /// Marks a user as the author of an event.
    pub(in crate::chat) fn mark_author(&self, user: UserKey) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE users SET wrote = 1 WHERE key = ?1 AND wrote = 0")?
            .execute([user.0])?;
        Ok(())
    }

    /// Removes a session, and frees its user's name if it was the last one.
    pub(in crate::chat) fn end_session(&self, token: &TokenHash) -> Result<(), StoreError> {
        let user: Option<i64> = self
            .connection
            .prepare_cached("DELETE FROM sessions WHERE token_hash = ?1 RETURNING user")?
            .query_row([token.as_bytes()], |row| row.get(0))
            .optional()?;
        if let Some(user) = user {
            self.free_name_unless_live(UserKey(user))?;
        }
        Ok(())
    }

    /// Frees the name of a user without a session; false if they have one.
    pub(super) fn free_name_unless_live(&self, user: UserKey) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE users SET live = 0
             WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM sessions WHERE user = ?1)",
        )?;
        Ok(statement.execute([user.0])? == 1)
    }
}

/// The user in the first three columns: key, id, name.
fn user(row: &Row<'_>) -> Result<User, rusqlite::Error> {
    let (id, name): (String, String) = (row.get(1)?, row.get(2)?);
    Ok(User { key: UserKey(row.get(0)?), id: id.into(), name: name.into() })
}
