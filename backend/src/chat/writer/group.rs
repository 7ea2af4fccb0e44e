//! One transaction in the making: where each log ends with it, and what is to be told once it is on disk.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::EncodedSubscribeResponse;
use proto::chat::v1::{self as pb, subscribe_response::Frame};

use super::super::Shared;
use super::super::error::ChatError;
use super::super::health::{Fault, Health};
use super::super::random;
use super::super::session::TokenHash;
use super::super::store::{Append, OpenError, RoomRow, StoreError, WriteStore};
use super::super::tail::Entry;
use super::super::types::{Marker, RoomId, RoomKey, RoomView, UserKey};
use super::super::wire::{self, EventBody, EventsFrame};
use super::Command;

/// How many users are remembered as having written. One more costs a look at their row.
const KNOWN_AUTHORS: usize = 65_536;

/// The writer's state. Its rooms run ahead of the database by the transaction in the making.
#[derive(Debug)]
pub(in crate::chat) struct Group {
    pub(super) store: WriteStore,
    /// The database file.
    path: PathBuf,
    shared: Arc<Shared>,
    rooms: Vec<RoomRow>,
    /// The rooms must be read again: a transaction was undone.
    stale: bool,
    pub(super) now_ms: i64,
    effects: Effects,
    /// Users who are known to be noted as having written.
    authors: HashSet<UserKey>,
    /// An event's bytes, kept between events for their memory.
    event: Vec<u8>,
}

/// What is told when the transaction is on disk.
#[derive(Debug, Default)]
struct Effects {
    entries: Vec<Entry>,
    growing: Vec<Growing>,
    growing_of: HashMap<RoomKey, usize>,
    markers: Vec<(UserKey, RoomKey, Marker)>,
    ended: Vec<(UserKey, TokenHash)>,
    new_rooms: Vec<RoomKey>,
}

/// A room's frame that this transaction's events go into.
#[derive(Debug)]
struct Growing {
    room: RoomKey,
    first: u64,
    last: u64,
    frame: EventsFrame,
}

impl Group {
    /// Reads where the logs end and makes them known.
    pub(super) fn open(store: WriteStore, path: PathBuf, shared: Arc<Shared>) -> Result<Self, OpenError> {
        let rooms = store.rooms()?;
        let (now_ms, effects, event) = (shared.clock.now_ms(), Effects::default(), Vec::new());
        let authors = HashSet::new();
        let mut group = Self { store, path, shared, rooms, stale: false, now_ms, effects, authors, event };
        if group.rooms.is_empty() {
            group.make_general()?;
        }
        group.rooms.iter().for_each(|room| group.shared.directory.add(room));
        Ok(group)
    }

    /// The first room, made by the server itself.
    fn make_general(&mut self) -> Result<(), OpenError> {
        let key = RoomKey::from_index(0);
        let id = RoomId::named(RoomId::GENERAL);
        let room = RoomRow::new(key, id, RoomId::GENERAL, random::epoch()?, self.now_ms);
        self.store.begin()?;
        self.add_room(room, RoomId::GENERAL)?;
        self.append(key, &EventBody::room_created(None, RoomId::GENERAL), None)?;
        self.store.commit()?;
        self.effects = Effects::default();
        Ok(())
    }

    /// Writes `commands` as one transaction and tells of it. After an error nothing of them is written.
    pub(super) fn write(&mut self, commands: &mut [Command]) -> Result<(), StoreError> {
        if let Err(error) = self.try_write(commands) {
            self.effects = Effects::default();
            self.authors.clear();
            self.stale = true;
            if let Err(error) = self.store.roll_back() {
                tracing::error!(%error, "a failed transaction could not be undone");
            }
            return Err(error);
        }
        self.tell();
        Ok(())
    }

    fn try_write(&mut self, commands: &mut [Command]) -> Result<(), StoreError> {
        if self.stale {
            self.rooms = self.store.rooms()?;
            self.stale = false;
        }
        self.now_ms = self.shared.clock.now_ms();
        self.store.begin()?;
        for command in commands {
            command.apply(self)?;
        }
        self.store.commit()
    }

    /// Tells what is on disk now: rooms and heads first, so that whoever takes the tail's end as their position
    /// finds in the directory everything before it.
    fn tell(&mut self) {
        let Effects { mut entries, growing, markers, ended, new_rooms, .. } =
            std::mem::take(&mut self.effects);
        for key in new_rooms {
            self.shared.directory.add(&self.rooms[key.index()]);
        }
        for mut growing in growing {
            entries.push(growing.finish());
        }
        for entry in &entries {
            if let Some(room) = self.shared.directory.get(entry.room) {
                room.advance(entry.last);
            }
        }
        if !entries.is_empty() {
            self.shared.tail.publish(entries);
        }
        for (user, room, marker) in markers {
            self.shared.streams.marker_moved(user, room, marker);
        }
        for (user, token) in ended {
            self.shared.sessions.end(&token);
            self.shared.streams.session_ended(user, &token);
        }
    }

    /// A room by its key; keys come from the directory, which knows no room that the writer does not.
    pub(super) fn room(&self, key: RoomKey) -> Result<&RoomRow, ChatError> {
        self.rooms.get(key.index()).ok_or(ChatError::NoSuchRoom)
    }

    /// Sets a new user's markers to the heads: what was said before they came is not unread.
    pub(super) fn read_all(&self, user: UserKey) -> Result<(), StoreError> {
        for room in &self.rooms {
            self.store.mark_read(user, room, room.head)?;
        }
        Ok(())
    }

    /// How many rooms there are.
    pub(super) fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// When the next event of a room happens: now, and never before the last one.
    fn time_in(&self, room: &RoomRow) -> i64 {
        self.now_ms.max(room.last_ms)
    }

    /// Appends an event to a room's log: its number and time.
    pub(super) fn append(
        &mut self,
        key: RoomKey,
        body: &EventBody,
        message_author: Option<UserKey>,
    ) -> Result<(u64, i64), StoreError> {
        let room = &self.rooms[key.index()];
        let (seq, created_at_ms) = (room.head + 1, self.time_in(room));
        let messages = room.messages + u64::from(message_author.is_some());
        body.place(room.id.as_str(), seq, created_at_ms, &mut self.event);
        self.store.append(&Append { room: key, seq, messages, message_author, event: &self.event })?;
        let room = &mut self.rooms[key.index()];
        (room.head, room.messages, room.last_ms) = (seq, messages, created_at_ms);
        self.effects.grow(key, seq, &self.event);
        Ok((seq, created_at_ms))
    }

    /// Adds a room that has no event yet.
    pub(super) fn add_room(&mut self, room: RoomRow, name_key: &str) -> Result<(), StoreError> {
        self.store.insert_room(&room, name_key)?;
        self.rooms.push(room);
        Ok(())
    }

    /// Makes a new room's first event the one that opens it to those who do not know it.
    pub(super) fn open_room(&mut self, view: &RoomView) {
        let state = wire::room_state(view, pb::Recovery::Fresh, pb::LostReason::Unspecified);
        self.effects.open(view.key, wire::frame(Frame::RoomState(state)));
    }

    /// Remembers to tell a user's streams where a marker stands.
    pub(super) fn marker_moved(&mut self, user: UserKey, room: RoomKey, marker: Marker) {
        self.effects.markers.push((user, room, marker));
    }

    /// Remembers to tell that a session was ended.
    pub(super) fn session_ended(&mut self, user: UserKey, token: TokenHash) {
        self.effects.ended.push((user, token));
    }

    /// Notes that a user has written: then the user is never removed.
    pub(super) fn note_author(&mut self, user: UserKey) -> Result<(), StoreError> {
        if self.authors.contains(&user) {
            return Ok(());
        }
        self.store.mark_wrote(user)?;
        if self.authors.len() >= KNOWN_AUTHORS {
            self.authors.clear();
        }
        self.authors.insert(user);
        Ok(())
    }

    /// Removes what nobody needs any more, a part of it at once.
    pub(super) fn sweep(&self, unused_lifetime: Duration) -> Result<(), StoreError> {
        let now_ms = self.shared.clock.now_ms();
        let lifetime_ms = i64::try_from(unused_lifetime.as_millis()).unwrap_or(i64::MAX);
        // Removing is for good: a clock that was wrong at the start must not end sessions.
        let ended_before_ms = if self.shared.clock.is_settled() { now_ms } else { i64::MIN };
        let is_connected = |user| self.shared.streams.has_any(user);
        let removed = self.store.sweep(ended_before_ms, now_ms.saturating_sub(lifetime_ms), is_connected)?;
        for (token, user) in removed {
            self.shared.sessions.end(&token);
            self.shared.streams.session_ended(user, &token);
        }
        Ok(())
    }

    /// Finds out whether the disk takes writes.
    pub(super) fn probe(&self) -> Result<(), StoreError> {
        self.store.probe(self.shared.clock.now_ms())
    }

    /// The chat's health.
    pub(super) fn health(&self) -> &Health {
        &self.shared.health
    }

    /// The database file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The events of all rooms.
    pub(super) fn events(&self) -> u64 {
        self.shared.directory.heads().iter().map(|(_, head)| head).sum()
    }

    /// Closes the database; after a fault that stays, without touching its files.
    pub(super) fn close(self) -> Result<(), StoreError> {
        let is_final = self.health().fault().is_some_and(Fault::is_final);
        if is_final { self.store.close_as_it_is() } else { self.store.close() }
    }
}

impl Effects {
    fn grow(&mut self, room: RoomKey, seq: u64, event: &[u8]) {
        let at = *self.growing_of.entry(room).or_insert_with(|| {
            self.growing.push(Growing { room, first: seq, last: seq, frame: EventsFrame::new() });
            self.growing.len() - 1
        });
        let growing = &mut self.growing[at];
        if growing.frame.is_full() {
            self.entries.push(growing.finish());
            growing.first = seq;
        }
        growing.frame.push(event);
        growing.last = seq;
    }

    /// The first event of a new room is told as the room's state.
    fn open(&mut self, room: RoomKey, frame: EncodedSubscribeResponse) {
        if let Some(at) = self.growing_of.remove(&room) {
            // The event itself is counted by the state's head. The last one added is this room's.
            debug_assert_eq!(at + 1, self.growing.len());
            self.growing.truncate(at);
        }
        self.entries.push(Entry {
            room,
            first: 1,
            last: 1,
            frame,
            opens_room: true,
            published: Instant::now(),
        });
        self.new_rooms.push(room);
    }
}

impl Growing {
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
