//! The writing connection, and the queries by which the writer evaluates commands on rooms and their logs. Each is part of the
//! transaction that the writer has begun.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use prost::Message;
use proto::chat::v1 as pb;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::types::{Marker, OperationId, RoomId, RoomKey, RoomView, User, UserKey};
use super::StoreError;
use super::identity::Identity;
use super::names::database_id;
use super::read::{StoredMarker, fingerprint_at};

/// The writing connection.
#[derive(Debug)]
pub(in crate::chat) struct WriteStore {
    pub(super) connection: Connection,
    pub(super) identity: Identity,
    /// Pages in the write-ahead log after the last commit.
    pub(super) log_pages: Arc<AtomicU32>,
}

/// A stored room and the head of its log.
#[derive(Clone, Debug)]
pub(in crate::chat) struct RoomRow {
    pub(in crate::chat) key: RoomKey,
    pub(in crate::chat) id: RoomId,
    pub(in crate::chat) name: String,
    pub(in crate::chat) epoch: u64,
    pub(in crate::chat) created_at_ms: i64,
    pub(in crate::chat) head: u64,
    pub(in crate::chat) messages: u64,
    pub(in crate::chat) last_ms: i64,
}

impl RoomRow {
    /// A room without events.
    pub(in crate::chat) fn new(key: RoomKey, id: RoomId, name: &str, epoch: u64, created_at_ms: i64) -> Self {
        let name = name.to_owned();
        Self { key, id, name, epoch, created_at_ms, head: 0, messages: 0, last_ms: created_at_ms }
    }

    /// The room as it is with this marker. `fingerprint`: that of the event at its head.
    pub(in crate::chat) fn view(&self, marker: StoredMarker, fingerprint: u64) -> RoomView {
        let Marker { read, unread } = marker.view(self.messages);
        RoomView {
            key: self.key,
            id: self.id.clone(),
            name: self.name.as_str().into(),
            created_at_ms: self.created_at_ms,
            epoch: self.epoch,
            head: self.head,
            fingerprint,
            head_ms: self.last_ms,
            read,
            unread,
        }
    }
}

/// The event of an operation.
#[derive(Debug)]
pub(in crate::chat) struct OperationEvent {
    pub(in crate::chat) room: RoomKey,
    pub(in crate::chat) event: pb::Event,
}

impl WriteStore {
    /// The database's id; see `names.rs`.
    pub(in crate::chat) fn database_id(&self) -> Result<String, StoreError> {
        Ok(database_id(&self.connection)?)
    }

    /// All rooms in order of creation.
    pub(in crate::chat) fn rooms(&self) -> Result<Vec<RoomRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT rooms.key, rooms.id, rooms.name, rooms.epoch, rooms.created_at_ms,
                    last.seq, last.messages, last.event
             FROM rooms JOIN events AS last ON last.room = rooms.key
                  AND last.seq = (SELECT max(seq) FROM events WHERE room = rooms.key)
             ORDER BY rooms.key",
        )?;
        let mut rows = statement.query([])?;
        let mut rooms = Vec::new();
        while let Some(row) = rows.next()? {
            let last = pb::Event::decode(row.get::<_, Vec<u8>>(7)?.as_slice())?;
            rooms.push(RoomRow {
                key: RoomKey::from_index(row.get::<_, usize>(0)? - 1),
                id: RoomId::new(row.get::<_, String>(1)?),
                name: row.get(2)?,
                epoch: row.get::<_, i64>(3)?.cast_unsigned(),
                created_at_ms: row.get(4)?,
                head: row.get(5)?,
                messages: row.get(6)?,
                last_ms: last.created_at_ms,
            });
        }
        Ok(rooms)
    }

    /// A room as `user` sees it.
    pub(in crate::chat) fn view(&self, user: UserKey, room: &RoomRow) -> Result<RoomView, StoreError> {
        let fingerprint = fingerprint_at(&self.connection, room.key, room.head)?.unwrap_or(0);
        Ok(room.view(self.marker(user, room.key)?, fingerprint))
    }

    /// Whether a room has this name.
    pub(in crate::chat) fn room_name_in_use(&self, name_key: &str) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT 1 FROM rooms WHERE name_key = ?1")?;
        Ok(statement.exists([name_key])?)
    }

    /// Number of rooms that a user has created. Reads the first event of every room: there are few rooms, and they are
    /// created rarely.
    pub(in crate::chat) fn rooms_created_by(&self, user: &User) -> Result<usize, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT events.event FROM rooms JOIN events ON events.room = rooms.key AND events.seq = 1",
        )?;
        let mut rows = statement.query([])?;
        let mut made = 0;
        while let Some(row) = rows.next()? {
            let first = pb::Event::decode(row.get::<_, Vec<u8>>(0)?.as_slice())?;
            made += usize::from(first.author.is_some_and(|author| author.id == *user.id));
        }
        Ok(made)
    }

    /// The event that an operation id was used for.
    pub(in crate::chat) fn event_of_operation(
        &self,
        operation: OperationId,
        author: UserKey,
    ) -> Result<Option<OperationEvent>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT events.room, events.event FROM operations
             JOIN events ON events.room = operations.room AND events.seq = operations.seq
             WHERE operations.operation_id = ?1 AND operations.author = ?2",
        )?;
        let found = statement
            .query_row(params![operation.as_bytes(), author.0], |row| {
                Ok((row.get::<_, usize>(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .optional()?;
        found
            .map(|(room, event)| {
                Ok(OperationEvent {
                    room: RoomKey::from_index(room - 1),
                    event: pb::Event::decode(event.as_slice())?,
                })
            })
            .transpose()
    }

    /// The marker of `user` after it has moved forward to `seq`, which exists in the log of `room`.
    pub(in crate::chat) fn marker_moved_to(
        &self,
        seq: u64,
        user: UserKey,
        room: &RoomRow,
        marker: StoredMarker,
    ) -> Result<StoredMarker, StoreError> {
        // Nothing to count if there is nothing above, or nothing of the user's own.
        let own_above = match marker.own_above {
            0 => 0,
            _ if seq == room.head => 0,
            own => own - self.own_messages_between(user, room.key, marker.read_seq, seq)?.min(own),
        };
        Ok(StoredMarker { read_seq: seq, read_messages: self.messages_at(room.key, seq)?, own_above })
    }

    /// The marker of a user, as stored.
    pub(in crate::chat) fn marker(&self, user: UserKey, room: RoomKey) -> Result<StoredMarker, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT read_seq, read_messages, own_above FROM markers WHERE user = ?1 AND room = ?2",
        )?;
        let row = statement.query_row(params![user.0, room.number()], |row| {
            Ok(StoredMarker { read_seq: row.get(0)?, read_messages: row.get(1)?, own_above: row.get(2)? })
        });
        Ok(row.optional()?.unwrap_or_default())
    }

    fn messages_at(&self, room: RoomKey, seq: u64) -> Result<u64, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT messages FROM events WHERE room = ?1 AND seq = ?2")?;
        Ok(statement.query_row(params![room.number(), seq], |row| row.get(0))?)
    }

    fn own_messages_between(
        &self,
        user: UserKey,
        room: RoomKey,
        above: u64,
        to: u64,
    ) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*) FROM events
             WHERE room = ?1 AND seq > ?2 AND seq <= ?3 AND message_author = ?4",
        )?;
        Ok(statement.query_row(params![room.number(), above, to, user.0], |row| row.get(0))?)
    }
}
