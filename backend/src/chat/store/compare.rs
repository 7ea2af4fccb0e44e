//! The comparison of two databases of one chat: the events, persons and sessions that one has and the other lacks.

use std::path::Path;

use rusqlite::{Connection, params};

use super::followed_log::{self, FollowedLog};
use super::{CopyError, OpenError, open_reader};

/// Events of one room that only one of two databases has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomDifference {
    /// The room's name.
    pub room: String,
    /// Number of the events.
    pub events: u64,
    /// The number of the first one.
    pub first: u64,
    /// The number of the last one.
    pub last: u64,
}

/// The content that only one of two databases has. An event that both have with another content counts in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surplus {
    /// The events.
    pub rooms: Vec<RoomDifference>,
    /// Number of persons.
    pub users: u64,
    /// Number of sessions.
    pub sessions: u64,
}

impl Surplus {
    /// Whether there is no such content.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The log that the database in `file` follows, if any.
pub(in crate::chat) fn followed(file: &Path) -> Result<Option<FollowedLog>, CopyError> {
    Ok(followed_log::read(&open_reader(file)?)?)
}

/// The content that only the database `one` has, and that only `other` has. Neither is changed.
pub(in crate::chat) fn compare(one: &Path, other: &Path) -> Result<(Surplus, Surplus), CopyError> {
    let connection = open_reader(one)?;
    let path = other.to_str().ok_or_else(|| OpenError::Io {
        path: other.to_owned(),
        source: std::io::Error::other("its path is not in UTF-8"),
    })?;
    connection.execute("ATTACH DATABASE ?1 AS other", [path])?;
    Ok((surplus(&connection, "main", "other")?, surplus(&connection, "other", "main")?))
}

/// The content that only the database with the name `one` has.
fn surplus(connection: &Connection, one: &str, other: &str) -> Result<Surplus, rusqlite::Error> {
    // The numbers of rooms may differ, and their epochs do after a restore.
    let mut events = connection.prepare(&format!(
        "SELECT room.name, count(*), min(mine.seq), max(mine.seq)
         FROM {one}.rooms AS room JOIN {one}.events AS mine ON mine.room = room.key
         LEFT JOIN {other}.rooms AS counterpart ON counterpart.id = room.id
         LEFT JOIN {other}.events AS theirs
              ON theirs.room = counterpart.key AND theirs.seq = mine.seq AND theirs.event = mine.event
         WHERE theirs.seq IS NULL GROUP BY room.key ORDER BY room.key"
    ))?;
    let rooms = events.query_map([], |row| {
        Ok(RoomDifference { room: row.get(0)?, events: row.get(1)?, first: row.get(2)?, last: row.get(3)? })
    })?;
    let count = |table: &str, key: &str| {
        let sql = format!(
            "SELECT count(*) FROM {one}.{table} AS mine
             WHERE NOT EXISTS (SELECT 1 FROM {other}.{table} AS theirs WHERE theirs.{key} = mine.{key})"
        );
        connection.query_row(&sql, params![], |row| row.get(0))
    };
    Ok(Surplus {
        rooms: rooms.collect::<Result<_, _>>()?,
        users: count("users", "id")?,
        sessions: count("sessions", "token_hash")?,
    })
}
