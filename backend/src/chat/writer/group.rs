//! A group commit in progress: the heads of all logs with it, and the effects to publish once it is on disk.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::EncodedSubscribeResponse;
use proto::chat::v1::{self as pb, subscribe_response::Frame};

use super::super::Shared;
use super::super::encoding::{self, EventBody, EventsFrame};
use super::super::error::ChatError;
use super::super::health::{Fault, Health};
use super::super::random;
use super::super::session::TokenHash;
use super::super::store::{Append, OpenError, RoomRow, StoreError, WriteStore};
use super::super::tail::Entry;
use super::super::text::name_key;
use super::super::types::{Marker, RoomId, RoomKey, RoomView, UserKey};
use super::Command;
use crate::error_chain::ErrorChain;

/// Maximum number of users who are cached as authors. Any other costs a look at their row.
const CACHED_AUTHORS: usize = 65_536;

/// State of the writer. Its rooms are ahead of the database by the open transaction.
#[derive(Debug)]
pub(in crate::chat) struct Group {
    pub(super) store: WriteStore,
    /// The database file.
    path: PathBuf,
    shared: Arc<Shared>,
    rooms: Vec<RoomRow>,
    /// The rooms must be read again because a transaction was rolled back.
    stale: bool,
    pub(super) now_ms: i64,
    effects: Effects,
    /// Users who are marked as authors in the database.
    authors: HashSet<UserKey>,
    /// Buffer for an encoded event.
    event: Vec<u8>,
}

/// Effects to publish when the transaction is on disk.
#[derive(Debug, Default)]
struct Effects {
    entries: Vec<Entry>,
    pending: Vec<PendingFrame>,
    pending_of: HashMap<RoomKey, usize>,
    markers: Vec<(UserKey, RoomKey, Marker)>,
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

impl Group {
    /// Reads the heads of all logs and fills the directory.
    pub(super) fn open(store: WriteStore, path: PathBuf, shared: Arc<Shared>) -> Result<Self, OpenError> {
        let rooms = store.rooms()?;
        let (now_ms, effects, event) = (shared.clock.now_ms(), Effects::default(), Vec::new());
        let authors = HashSet::new();
        let mut group = Self { store, path, shared, rooms, stale: false, now_ms, effects, authors, event };
        if group.rooms.is_empty() {
            group.create_general()?;
        }
        group.rooms.iter().for_each(|room| group.shared.directory.add(room));
        Ok(group)
    }

    /// Creates the first room.
    fn create_general(&mut self) -> Result<(), OpenError> {
        let key = RoomKey::from_index(0);
        let id = RoomId::new(RoomId::GENERAL);
        let room = RoomRow::new(key, id, RoomId::GENERAL, random::epoch()?, self.now_ms);
        self.store.begin()?;
        self.add_room(room, &name_key(RoomId::GENERAL))?;
        self.append(key, &EventBody::room_created(None, RoomId::GENERAL), None)?;
        self.store.commit()?;
        self.effects = Effects::default();
        Ok(())
    }

    /// Commits `commands` as one transaction and publishes it. After an error none of them is written.
    pub(super) fn write(&mut self, commands: &mut [Command]) -> Result<(), StoreError> {
        if let Err(error) = self.try_write(commands) {
            self.effects = Effects::default();
            self.authors.clear();
            self.stale = true;
            if let Err(error) = self.store.roll_back() {
                tracing::error!(error = %ErrorChain(&error), "a failed transaction could not be rolled back");
            }
            return Err(error);
        }
        self.shared.metrics.group_size.observe(f64::from(u32::try_from(commands.len()).unwrap_or(u32::MAX)));
        self.publish();
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
        let start = Instant::now();
        let committed = self.store.commit();
        self.shared.metrics.commit_seconds.observe(start.elapsed().as_secs_f64());
        committed
    }

    /// Publishes what is on disk. Rooms and heads first: whoever takes the tail's end as their position must find
    /// everything before it in the directory.
    fn publish(&mut self) {
        let Effects { mut entries, pending, markers, ended, new_rooms, .. } =
            std::mem::take(&mut self.effects);
        for key in new_rooms {
            self.shared.directory.add(&self.rooms[key.index()]);
        }
        for mut pending in pending {
            entries.push(pending.finish());
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
            self.shared.sessions.remove(&token);
            self.shared.streams.session_ended(user, &token);
        }
    }

    /// A room by its key. Keys come from the directory, which has no room that the writer does not have.
    pub(super) fn room(&self, key: RoomKey) -> Result<&RoomRow, ChatError> {
        self.rooms.get(key.index()).ok_or(ChatError::RoomNotFound)
    }

    /// Sets a new user's markers to the heads: older messages are not unread.
    pub(super) fn mark_all_read(&self, user: UserKey) -> Result<(), StoreError> {
        for room in &self.rooms {
            self.store.mark_read(user, room, room.head)?;
        }
        Ok(())
    }

    /// Number of rooms.
    pub(super) fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Time of a room's next event: now, but never before the last one.
    fn event_time(&self, room: &RoomRow) -> i64 {
        self.now_ms.max(room.last_ms)
    }

    /// Appends an event to a room's log. Returns its number and time.
    pub(super) fn append(
        &mut self,
        key: RoomKey,
        body: &EventBody,
        message_author: Option<UserKey>,
    ) -> Result<(u64, i64), StoreError> {
        let room = &self.rooms[key.index()];
        let (seq, created_at_ms) = (room.head + 1, self.event_time(room));
        let messages = room.messages + u64::from(message_author.is_some());
        body.encode_at(room.id.as_str(), seq, created_at_ms, &mut self.event);
        self.store.append(&Append { room: key, seq, messages, message_author, event: &self.event })?;
        let room = &mut self.rooms[key.index()];
        (room.head, room.messages, room.last_ms) = (seq, messages, created_at_ms);
        self.effects.add_event(key, seq, &self.event);
        Ok((seq, created_at_ms))
    }

    /// Adds a room without events.
    pub(super) fn add_room(&mut self, room: RoomRow, name_key: &str) -> Result<(), StoreError> {
        self.store.insert_room(&room, name_key)?;
        self.rooms.push(room);
        Ok(())
    }

    /// Publishes the room's first event as the state of a new room.
    pub(super) fn announce_room(&mut self, view: &RoomView) {
        let state = encoding::room_state(view, pb::Recovery::Fresh, pb::LostReason::Unspecified);
        self.effects.announce_room(view.key, encoding::frame(Frame::RoomState(state)));
    }

    /// Notifies a user's streams of a moved marker after the commit.
    pub(super) fn marker_moved(&mut self, user: UserKey, room: RoomKey, marker: Marker) {
        self.effects.markers.push((user, room, marker));
    }

    /// Removes ended sessions from the cache and notifies their streams after the commit.
    pub(super) fn sessions_ended(&mut self, user: UserKey, tokens: impl IntoIterator<Item = TokenHash>) {
        self.effects.ended.extend(tokens.into_iter().map(|token| (user, token)));
    }

    /// Marks a user as the author of an event: then the user is never removed.
    pub(super) fn mark_author(&mut self, user: UserKey) -> Result<(), StoreError> {
        if self.authors.contains(&user) {
            return Ok(());
        }
        self.store.mark_author(user)?;
        if self.authors.len() >= CACHED_AUTHORS {
            self.authors.clear();
        }
        self.authors.insert(user);
        Ok(())
    }

    /// Removes a batch of expired and unused sessions, and of guests who have left.
    pub(super) fn sweep(&self, unused_lifetime: Duration) -> Result<(), StoreError> {
        let now_ms = self.shared.clock.now_ms();
        let lifetime_ms = i64::try_from(unused_lifetime.as_millis()).unwrap_or(i64::MAX);
        // Removal is final: a clock that was wrong at the start must not end sessions.
        let ended_before_ms = if self.shared.clock.is_settled() { now_ms } else { i64::MIN };
        let is_connected = |user| self.shared.streams.is_connected(user);
        let removed = self.store.sweep(ended_before_ms, now_ms.saturating_sub(lifetime_ms), is_connected)?;
        for (token, user) in removed {
            self.shared.sessions.remove(&token);
            self.shared.streams.session_ended(user, &token);
        }
        Ok(())
    }

    /// Tests whether the disk accepts writes.
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

    /// Total number of events.
    pub(super) fn events(&self) -> u64 {
        self.shared.directory.heads().iter().map(|(_, head)| head).sum()
    }

    /// Closes the database. After a final fault its files are not touched.
    pub(super) fn close(self) -> Result<(), StoreError> {
        let is_final = self.health().fault().is_some_and(Fault::is_final);
        if is_final { self.store.close_as_it_is() } else { self.store.close() }
    }
}

impl Effects {
    fn add_event(&mut self, room: RoomKey, seq: u64, event: &[u8]) {
        let at = *self.pending_of.entry(room).or_insert_with(|| {
            self.pending.push(PendingFrame { room, first: seq, last: seq, frame: EventsFrame::new() });
            self.pending.len() - 1
        });
        let pending = &mut self.pending[at];
        if pending.frame.is_full() {
            self.entries.push(pending.finish());
            pending.first = seq;
        }
        pending.frame.push(event);
        pending.last = seq;
    }

    /// Replaces a new room's first event by the room's state.
    fn announce_room(&mut self, room: RoomKey, frame: EncodedSubscribeResponse) {
        if let Some(at) = self.pending_of.remove(&room) {
            // The state's head covers the event. The room was added last.
            debug_assert_eq!(at + 1, self.pending.len());
            self.pending.truncate(at);
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
