//! The way back from a transaction that is given up: the writer's rooms and authors as they were before it.
//!
//! A node that shares a log gives one up whenever another node was first, so nothing is read again for it.

use std::collections::HashMap;

use super::super::store::RoomRow;
use super::super::types::{RoomKey, UserKey};

/// Number of an author's own messages above their read marker, in a room.
pub(super) type Authors = HashMap<(UserKey, RoomKey), u64>;

/// The state before the open transaction, as far as that has changed it.
#[derive(Debug, Default)]
pub(super) struct Undo {
    /// Number of rooms.
    rooms: usize,
    heads: Vec<Head>,
    /// Authors whose count has changed.
    authors: Vec<(UserKey, RoomKey)>,
}

/// The head of a room's log.
#[derive(Debug)]
struct Head {
    room: usize,
    head: u64,
    messages: u64,
    last_ms: i64,
}

impl Undo {
    /// Forgets the way back: `rooms` are as they are in the database.
    pub(super) fn begin(&mut self, rooms: &[RoomRow]) {
        self.rooms = rooms.len();
        self.heads.clear();
        self.authors.clear();
    }

    /// Keeps the head of a room that gets an event.
    pub(super) fn keep_head(&mut self, room: &RoomRow) {
        let &RoomRow { key, head, messages, last_ms, .. } = room;
        self.heads.push(Head { room: key.index(), head, messages, last_ms });
    }

    /// Notes that an author's count changes.
    pub(super) fn note_author(&mut self, author: (UserKey, RoomKey)) {
        self.authors.push(author);
    }

    /// Brings rooms and authors back. The counts of authors are read again when they are needed.
    pub(super) fn roll_back(&mut self, rooms: &mut Vec<RoomRow>, authors: &mut Authors) {
        for Head { room, head, messages, last_ms } in self.heads.drain(..).rev() {
            let room = &mut rooms[room];
            (room.head, room.messages, room.last_ms) = (head, messages, last_ms);
        }
        rooms.truncate(self.rooms);
        for author in self.authors.drain(..) {
            authors.remove(&author);
        }
    }
}
