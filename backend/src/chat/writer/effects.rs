//! The effects of changes on what is in memory: collected while the changes are made, published once they are on disk.
//!
//! They follow from the changes alone, whoever evaluated them.

use std::collections::HashMap;
use std::time::Instant;

use proto::chat::log::v1::change::Kind as Change;
use proto::chat::log::v1::{EventAppended, MarkerSet};
use proto::chat::v1::{self as pb, subscribe_response::Frame};

use super::super::Shared;
use super::super::encoding::{self, EventsFrame};
use super::super::session::TokenHash;
use super::super::store::{RoomRow, StoreError, StoredMarker};
use super::super::tail::Entry;
use super::super::types::{Marker, RoomKey, UserKey};

/// Effects to publish when the transaction is on disk.
#[derive(Debug, Default)]
pub(super) struct Effects {
    entries: Vec<Entry>,
    pending: Vec<PendingFrame>,
    pending_of: HashMap<RoomKey, usize>,
    markers: Vec<(UserKey, RoomKey, Marker)>,
    extended: Vec<(TokenHash, i64)>,
    ended: Vec<(UserKey, TokenHash)>,
    new_rooms: Vec<RoomKey>,
}

/// The frame of one room's events in this transaction.
#[derive(Debug)]
struct PendingFrame {
    room: RoomKey,
    first: u64,
    last: u64,
    frame: EventsFrame,
}

impl Effects {
    /// Adds the effect of a change. `rooms` have the change already.
    pub(super) fn add(&mut self, change: &Change, rooms: &[RoomRow]) -> Result<(), StoreError> {
        match change {
            Change::EventAppended(appended) if appended.seq == 1 => self.open_room(appended, rooms),
            Change::EventAppended(appended) => self.add_event(appended, rooms),
            Change::MarkerSet(marker) => self.move_marker(marker, rooms),
            Change::SessionUpdated(updated) => {
                self.extended.push((token(&updated.token_hash)?, updated.expires_at_ms));
                Ok(())
            }
            Change::SessionRemoved(removed) => {
                self.ended.push((UserKey(removed.user), token(&removed.token_hash)?));
                Ok(())
            }
            // Nothing in memory repeats these. A room's first event brings the room.
            Change::ChatCreated(_)
            | Change::UserAdded(_)
            | Change::UserRemoved(_)
            | Change::AuthorMarked(_)
            | Change::NameTaken(_)
            | Change::NameFreed(_)
            | Change::RecoverySet(_)
            | Change::JoinRecorded(_)
            | Change::JoinForgotten(_)
            | Change::SessionAdded(_)
            | Change::RoomAdded(_) => Ok(()),
        }
    }

    fn add_event(&mut self, appended: &EventAppended, rooms: &[RoomRow]) -> Result<(), StoreError> {
        let (room, seq) = (room(appended.room, rooms)?.key, appended.seq);
        let at = *self.pending_of.entry(room).or_insert_with(|| {
            self.pending.push(PendingFrame { room, first: seq, last: seq, frame: EventsFrame::new() });
            self.pending.len() - 1
        });
        let pending = &mut self.pending[at];
        if pending.frame.is_full() {
            self.entries.push(pending.finish());
            pending.first = seq;
        }
        pending.frame.push(&appended.event);
        pending.last = seq;
        Ok(())
    }

    /// Publishes a room's first event as the state of a new room, as it is for everybody: nobody has read anything.
    fn open_room(&mut self, appended: &EventAppended, rooms: &[RoomRow]) -> Result<(), StoreError> {
        let room = room(appended.room, rooms)?;
        let view = room.view(StoredMarker::default(), encoding::fingerprint(&appended.event));
        let state = encoding::room_state(&view, pb::Recovery::Fresh, pb::LostReason::Unspecified);
        self.entries.push(Entry {
            room: room.key,
            first: 1,
            last: 1,
            frame: encoding::frame(Frame::RoomState(state)),
            opens_room: true,
            published: Instant::now(),
        });
        self.new_rooms.push(room.key);
        Ok(())
    }

    fn move_marker(&mut self, marker: &MarkerSet, rooms: &[RoomRow]) -> Result<(), StoreError> {
        let room = room(marker.room, rooms)?;
        let MarkerSet { read_seq, read_messages, own_above, .. } = *marker;
        let view = StoredMarker { read_seq, read_messages, own_above }.view(room.messages);
        self.markers.push((UserKey(marker.user), room.key, view));
        Ok(())
    }

    /// Publishes what is on disk. Rooms and heads first: whoever takes the tail's end as their position must find
    /// everything before it in the directory.
    pub(super) fn publish(self, shared: &Shared, rooms: &[RoomRow]) {
        let Self { mut entries, pending, markers, extended, ended, new_rooms, .. } = self;
        for key in new_rooms {
            shared.directory.add(&rooms[key.index()]);
        }
        for mut pending in pending {
            entries.push(pending.finish());
        }
        for entry in &entries {
            if let Some(room) = shared.directory.get(entry.room) {
                room.advance(entry.last);
            }
        }
        if !entries.is_empty() {
            shared.tail.publish(entries);
        }
        for (user, room, marker) in markers {
            shared.streams.marker_moved(user, room, marker);
        }
        for (token, expires_at_ms) in extended {
            shared.sessions.extend(&token, expires_at_ms);
        }
        for (user, token) in ended {
            shared.sessions.remove(&token);
            shared.streams.session_ended(user, &token);
        }
    }
}

impl PendingFrame {
    fn finish(&mut self) -> Entry {
        Entry {
            room: self.room,
            first: self.first,
            last: self.last,
            frame: self.frame.finish(),
            opens_room: false,
            published: Instant::now(),
        }
    }
}

fn room(number: u32, rooms: &[RoomRow]) -> Result<&RoomRow, StoreError> {
    let key = RoomKey::from_number(number);
    key.and_then(|key| rooms.get(key.index())).ok_or(StoreError::InvalidChange { field: "room" })
}

fn token(hash: &[u8]) -> Result<TokenHash, StoreError> {
    let hash = hash.try_into().map_err(|_| StoreError::InvalidChange { field: "token_hash" })?;
    Ok(TokenHash::from_bytes(hash))
}
