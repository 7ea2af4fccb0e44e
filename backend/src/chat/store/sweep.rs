//! The rows that are to be removed: expired and unused sessions, and guests who have left without writing anything.

use rusqlite::params;

use super::super::session::TokenHash;
use super::super::types::UserKey;
use super::{StoreError, WriteStore};

/// Maximum number of rows of one kind per transaction: senders wait for it.
const BATCH: usize = 256;

/// A batch of rows to remove.
#[derive(Debug)]
pub(in crate::chat) struct Expired {
    /// One that is both expired and unused is here twice.
    pub(in crate::chat) sessions: Vec<(TokenHash, UserKey)>,
    /// Guests without a session who have written nothing.
    pub(in crate::chat) users: Vec<UserKey>,
    /// SHA-256 of attempts to join.
    pub(in crate::chat) joins: Vec<Vec<u8>>,
}

impl Expired {
    /// Whether there is nothing to remove.
    pub(in crate::chat) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.users.is_empty() && self.joins.is_empty()
    }
}

impl WriteStore {
    /// Finds a batch of sessions that expired before `ended_before_ms`, of unused sessions that are older than
    /// `unused_since_ms`, of attempts to join that are as old, and of guests without a session who have written nothing.
    ///
    /// A guest with an open stream has used their session, even if a full disk prevented storing that.
    pub(in crate::chat) fn expired(
        &self,
        ended_before_ms: i64,
        unused_since_ms: i64,
        is_connected: impl Fn(UserKey) -> bool,
    ) -> Result<Expired, StoreError> {
        let mut sessions = self.ended_sessions(ended_before_ms)?;
        let unused = self.unused_sessions(unused_since_ms)?;
        sessions.extend(unused.into_iter().filter(|(_, user)| !is_connected(*user)));
        Ok(Expired { sessions, users: self.removable_users()?, joins: self.joins_before(unused_since_ms)? })
    }

    fn ended_sessions(&self, now_ms: i64) -> Result<Vec<(TokenHash, UserKey)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT token_hash, user FROM sessions WHERE expires_at_ms <= ?1 ORDER BY expires_at_ms LIMIT ?2",
        )?;
        let rows = statement.query_map(params![now_ms, BATCH], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn unused_sessions(&self, since_ms: i64) -> Result<Vec<(TokenHash, UserKey)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT token_hash, user FROM sessions WHERE used = 0 AND created_at_ms <= ?1
             ORDER BY created_at_ms LIMIT ?2",
        )?;
        let rows = statement.query_map(params![since_ms, BATCH], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn joins_before(&self, before_ms: i64) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT attempt_hash FROM joins WHERE created_at_ms <= ?1 LIMIT ?2")?;
        let rows = statement.query_map(params![before_ms, BATCH], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Guests to remove. The newest user is kept: the next one would get that number again.
    fn removable_users(&self) -> Result<Vec<UserKey>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT key FROM users WHERE live = 0 AND wrote = 0 AND key < (SELECT max(key) FROM users) LIMIT ?1",
        )?;
        let rows = statement.query_map([BATCH], |row| row.get(0).map(UserKey))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn row(row: &rusqlite::Row<'_>) -> Result<(TokenHash, UserKey), rusqlite::Error> {
    Ok((TokenHash::from_bytes(row.get(0)?), UserKey(row.get(1)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_expired_only_when_there_is_neither_session_nor_guest_nor_attempt() {
        let (user, token) = (UserKey(1), TokenHash::from_bytes([1; 32]));
        let is_empty = |sessions, users, joins| Expired { sessions, users, joins }.is_empty();
        assert!(is_empty(vec![], vec![], vec![]));
        assert!(!is_empty(vec![(token, user)], vec![], vec![]));
        assert!(!is_empty(vec![], vec![user], vec![]));
        assert!(!is_empty(vec![], vec![], vec![vec![1; 32]]));
    }
}
