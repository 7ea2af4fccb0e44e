//! The application of a change: the one place that writes rows of the chat.
//!
//! Decides nothing. Every value is in the change, so that the same changes in the same order make equal databases.

use proto::chat::log::v1::change::Kind as Change;
use proto::chat::log::v1::{
    EventAppended, JoinRecorded, MarkerSet, RoomAdded, SessionAdded, SessionUpdated, UserAdded,
};
use rusqlite::{Params, params};

use super::{StoreError, WriteStore};

impl WriteStore {
    /// Applies a change as part of the open transaction.
    pub(in crate::chat) fn apply(&self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::ChatCreated(created) => {
                self.execute("UPDATE installation SET id = ?1", [&created.database_id])
            }
            Change::UserAdded(added) => self.add_user(added),
            Change::UserRemoved(removed) => self.remove_user(removed.user),
            Change::AuthorMarked(marked) => {
                self.execute("UPDATE users SET wrote = 1 WHERE key = ?1", [marked.user])
            }
            Change::NameTaken(taken) => self.execute(
                "UPDATE users SET live = 1, name_key = ?2 WHERE key = ?1",
                params![taken.user, taken.name_key],
            ),
            Change::NameFreed(freed) => {
                self.execute("UPDATE users SET live = 0 WHERE key = ?1", [freed.user])
            }
            Change::RecoverySet(set) => self.execute(
                "UPDATE users SET recovery_hash = ?2 WHERE key = ?1",
                params![set.user, set.recovery_hash],
            ),
            Change::JoinRecorded(recorded) => self.record_join(recorded),
            Change::JoinForgotten(forgotten) => {
                self.execute("DELETE FROM joins WHERE attempt_hash = ?1", [&forgotten.attempt_hash])
            }
            Change::SessionAdded(added) => self.add_session(added),
            Change::SessionUpdated(updated) => self.update_session(updated),
            Change::SessionRemoved(removed) => {
                self.execute("DELETE FROM sessions WHERE token_hash = ?1", [&removed.token_hash])
            }
            Change::RoomAdded(added) => self.add_room(added),
            Change::EventAppended(appended) => self.append_event(appended),
            Change::MarkerSet(marker) => self.set_marker(marker),
        }
    }

    fn add_user(&self, added: &UserAdded) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO users (key, id, name, name_key, live, created_at_ms, recovery_hash)
             VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)",
            params![
                added.user,
                added.id,
                added.name,
                added.name_key,
                added.created_at_ms,
                added.recovery_hash
            ],
        )
    }

    fn remove_user(&self, user: i64) -> Result<(), StoreError> {
        self.execute("DELETE FROM markers WHERE user = ?1", [user])?;
        self.execute("DELETE FROM joins WHERE user = ?1", [user])?;
        self.execute("DELETE FROM users WHERE key = ?1", [user])
    }

    fn record_join(&self, recorded: &JoinRecorded) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO joins (attempt_hash, user, created_at_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET user = ?2, created_at_ms = ?3",
            params![recorded.attempt_hash, recorded.user, recorded.created_at_ms],
        )
    }

    fn add_session(&self, added: &SessionAdded) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO sessions
             (token_hash, user, expires_at_ms, used, created_at_ms, last_used_ms, client, system)
             VALUES (?1, ?2, ?3, 0, ?4, ?4, ?5, ?6)",
            params![
                added.token_hash,
                added.user,
                added.expires_at_ms,
                added.created_at_ms,
                added.client,
                added.system
            ],
        )
    }

    fn update_session(&self, updated: &SessionUpdated) -> Result<(), StoreError> {
        self.execute(
            "UPDATE sessions SET used = ?2, last_used_ms = ?3, expires_at_ms = ?4 WHERE token_hash = ?1",
            params![updated.token_hash, updated.used, updated.last_used_ms, updated.expires_at_ms],
        )
    }

    fn add_room(&self, added: &RoomAdded) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO rooms (key, id, name, name_key, epoch, created_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                added.room,
                added.id,
                added.name,
                added.name_key,
                added.epoch.cast_signed(),
                added.created_at_ms
            ],
        )
    }

    /// Appends an event, assigns the operation to it, and counts it for its author. The first statement finds an operation id that was
    /// used, so that the writer needs no query for the many that were not.
    fn append_event(&self, appended: &EventAppended) -> Result<(), StoreError> {
        let EventAppended { room, seq, messages, author, operation_id, own_above, event, .. } = appended;
        if !operation_id.is_empty() {
            let mut statement = self.connection.prepare_cached(
                "INSERT INTO operations (operation_id, author, room, seq) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            )?;
            if statement.execute(params![operation_id, author, room, seq])? == 0 {
                return Err(StoreError::OperationUsed);
            }
        }
        let message_author = if appended.is_message { *author } else { 0 };
        self.execute(
            "INSERT INTO events (room, seq, messages, message_author, event) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![room, seq, messages, message_author, event],
        )?;
        if !appended.is_message {
            return Ok(());
        }
        self.execute(
            "INSERT INTO markers (user, room, read_seq, read_messages, own_above) VALUES (?1, ?2, 0, 0, ?3)
             ON CONFLICT DO UPDATE SET own_above = ?3",
            params![author, room, own_above],
        )
    }

    fn set_marker(&self, marker: &MarkerSet) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO markers (user, room, read_seq, read_messages, own_above)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET read_seq = ?3, read_messages = ?4, own_above = ?5",
            params![marker.user, marker.room, marker.read_seq, marker.read_messages, marker.own_above],
        )
    }

    fn execute(&self, sql: &str, values: impl Params) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
