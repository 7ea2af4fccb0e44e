//! Removes what nobody needs any more: sessions that have ended or were never used, and guests who have left without
//! having written anything. Their names are free then.

use rusqlite::params;

use super::super::session::TokenHash;
use super::super::types::UserKey;
use super::{StoreError, WriteStore};

/// The most rows of one kind that are removed in one transaction: senders wait for it.
const AT_ONCE: usize = 256;

impl WriteStore {
    /// Removes a part of what is due: sessions that ended before `ended_before_ms`, sessions of guests who came
    /// before `unused_since_ms` and never used them, and guests without a session who have written nothing. Gives the
    /// sessions that were removed.
    ///
    /// The first use of a session could not be stored when the disk was full: a guest who is connected has used it.
    pub(in crate::chat) fn sweep(
        &self,
        ended_before_ms: i64,
        unused_since_ms: i64,
        is_connected: impl Fn(UserKey) -> bool,
    ) -> Result<Vec<Row>, StoreError> {
        let (mut ended, mut unused) =
            (self.ended_sessions(ended_before_ms)?, self.unused_sessions(unused_since_ms)?);
        unused.retain(|(_, user)| !is_connected(*user));
        let gone = self.gone_users()?;
        if ended.is_empty() && unused.is_empty() && gone.is_empty() {
            return Ok(Vec::new());
        }
        self.begin()?;
        let removed =
            self.remove_sessions(ended.iter().chain(&unused)).and_then(|()| self.remove_users(&gone));
        removed.and_then(|()| self.commit()).inspect_err(|_| {
            // This is the error to be told; what is left of the transaction would make the next one fail.
            self.roll_back().ok();
        })?;
        tracing::debug!(
            sessions.ended = ended.len(),
            sessions.unused = unused.len(),
            users = gone.len(),
            "removed what nobody needs any more"
        );
        ended.append(&mut unused);
        Ok(ended)
    }

    fn ended_sessions(&self, now_ms: i64) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT token_hash, user FROM sessions WHERE expires_at_ms <= ?1 ORDER BY expires_at_ms LIMIT ?2",
        )?;
        let rows = statement.query_map(params![now_ms, AT_ONCE], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn unused_sessions(&self, since_ms: i64) -> Result<Vec<Row>, StoreError> {
        // Users are numbered in the order in which they came: the first that came too late ends the search.
        let mut statement = self.connection.prepare_cached(
            "SELECT token_hash, user, created_at_ms FROM sessions JOIN users ON users.key = sessions.user
             WHERE used = 0 ORDER BY user LIMIT ?1",
        )?;
        let mut rows = statement.query([AT_ONCE])?;
        let mut due = Vec::new();
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(2)? > since_ms {
                break;
            }
            due.push(self::row(row)?);
        }
        Ok(due)
    }

    /// All but the newest user of all: SQLite would give that one's number to somebody else.
    fn gone_users(&self) -> Result<Vec<UserKey>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT key FROM users WHERE live = 0 AND wrote = 0 AND key < (SELECT max(key) FROM users) LIMIT ?1",
        )?;
        let rows = statement.query_map([AT_ONCE], |row| row.get(0).map(UserKey))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn remove_sessions<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> Result<(), StoreError> {
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
            self.connection.prepare_cached("DELETE FROM users WHERE key = ?1")?.execute([user.0])?;
        }
        Ok(())
    }
}

/// A session's token's hash and its user.
pub(in crate::chat) type Row = (TokenHash, UserKey);

fn row(row: &rusqlite::Row<'_>) -> Result<Row, rusqlite::Error> {
    Ok((TokenHash::from_bytes(row.get(0)?), UserKey(row.get(1)?)))
}
