//! A group of commands in evaluation: they become changes, each of which is applied at once to the open transaction, so that the
//! next command sees it.

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::chat::log::v1::change::Kind as Change;
use proto::chat::log::v1::{
    AuthorMarked, ChatCreated, EventAppended, JoinForgotten, MarkerSet, NameFreed, RoomAdded, SessionRemoved,
    UserRemoved,
};
use tokio::runtime;
use tokio::sync::mpsc;

use super::super::Shared;
use super::super::encoding::EventBody;
use super::super::error::ChatError;
use super::super::health::{Fault, Health};
use super::super::log::Log;
use super::super::random;
use super::super::session::TokenHash;
use super::super::store::{Expired, OpenError, RoomRow, StoreError, StoredMarker, WriteStore};
use super::super::text::name_key;
use super::super::types::{OperationId, RoomId, RoomKey, UserKey};
use super::commit::Commit;
use super::effects::Effects;
use super::replica::Replica;
use super::undo::{Authors, Undo};
use super::{Command, GROUP};
use crate::error_chain::ErrorChain;

/// Maximum number of authors, each with a room, whose counts are cached. Any other costs two queries.
const CACHED_AUTHORS: usize = 65_536;

/// Longest wait for the log when the chat is opened.
const LOG_TIMEOUT: Duration = Duration::from_secs(30);

/// State of the writer. Its rooms are ahead of the database by the open transaction.
#[derive(Debug)]
pub(in crate::chat) struct Group {
    pub(super) store: WriteStore,
    /// The database file.
    path: PathBuf,
    pub(super) shared: Arc<Shared>,
    pub(super) commit: Commit,
    /// Drives the log, and wakes the writer.
    pub(super) runtime: runtime::Runtime,
    pub(super) rooms: Vec<RoomRow>,
    /// The time of this evaluation, for all of its changes.
    pub(super) now_ms: i64,
    pub(super) effects: Effects,
    /// Authors of messages in a room, who are marked as authors in the database.
    authors: Authors,
    undo: Undo,
}

/// The author of an event and their operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Author {
    pub(super) user: UserKey,
    pub(super) operation: OperationId,
}

impl Group {
    /// Reads the heads of all logs and fills the directory. Applies what the log has. Creates the first room if there is none.
    pub(super) fn open(
        store: WriteStore,
        path: PathBuf,
        shared: Arc<Shared>,
        log: Option<Arc<dyn Log>>,
    ) -> Result<Self, OpenError> {
        let runtime =
            runtime::Builder::new_current_thread().enable_time().build().map_err(OpenError::Thread)?;
        let commit = match (log, store.followed_log()?) {
            (Some(log), Some(followed)) => {
                Commit::Replicated(Box::new(Replica::new(log, shared.clone(), followed, random::writer()?)))
            }
            _ => Commit::Local,
        };
        let (rooms, now_ms) = (store.rooms()?, shared.clock.now_ms());
        let (effects, authors, mut undo) = (Effects::default(), Authors::new(), Undo::default());
        undo.begin(&rooms);
        let mut group = Self { store, path, shared, commit, runtime, rooms, now_ms, effects, authors, undo };
        group.rooms.iter().for_each(|room| group.shared.directory.add(room));
        group.begin_chat()?;
        Ok(group)
    }

    /// Evaluated like any other command, so that of several new servers one makes the chat.
    fn begin_chat(&mut self) -> Result<(), OpenError> {
        self.give_up_at(Some(Instant::now() + LOG_TIMEOUT));
        let epoch = random::epoch()?;
        self.transact(|group| if group.rooms.is_empty() { group.create_chat(epoch) } else { Ok(()) })?;
        self.give_up_at(None);
        Ok(())
    }

    fn create_chat(&mut self, epoch: u64) -> Result<(), StoreError> {
        let database_id = self.store.database_id()?;
        self.change(Change::ChatCreated(ChatCreated { database_id }))?;
        let name = RoomId::GENERAL;
        let key = self.add_room(&RoomId::new(name), name, name_key(name), epoch)?;
        self.append(key, &EventBody::room_created(None, name), None, false)?;
        Ok(())
    }

    /// Evaluates `commands`, and those of `more` that have come until then, commits their changes as one transaction and publishes
    /// it. Returns how many of them it took: an entry of a log is bounded. After an error none of them is written.
    pub(super) fn write(
        &mut self,
        commands: &mut Vec<Command>,
        mut more: Option<&mut mpsc::Receiver<Command>>,
    ) -> Result<usize, StoreError> {
        let mut taken = 0;
        self.transact(|group| {
            taken = 0;
            // While other nodes were first, some have come.
            if let Some(more) = &mut more {
                let places = GROUP.saturating_sub(commands.len());
                commands.extend(iter::from_fn(|| more.try_recv().ok()).take(places));
            }
            for command in commands.iter_mut() {
                if group.is_full() {
                    break;
                }
                command.evaluate(group)?;
                taken += 1;
            }
            Ok(())
        })?;
        self.shared.metrics.group_size.observe(f64::from(u32::try_from(taken).unwrap_or(u32::MAX)));
        Ok(taken)
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        self.undo.begin(&self.rooms);
        self.now_ms = self.shared.clock.now_ms();
        self.begin_entry();
        self.store.begin()
    }

    /// Forgets everything since [`begin`](Self::begin).
    pub(super) fn abandon(&mut self) {
        self.effects = Effects::default();
        self.undo.roll_back(&mut self.rooms, &mut self.authors);
        if let Err(error) = self.store.roll_back() {
            tracing::error!(error = %ErrorChain(&error), "a failed transaction could not be rolled back");
        }
    }

    /// Commits the open transaction and publishes its effects.
    pub(super) fn commit_and_publish(&mut self) -> Result<(), StoreError> {
        self.store.commit()?;
        self.undo.begin(&self.rooms);
        std::mem::take(&mut self.effects).publish(&self.shared, &self.rooms);
        Ok(())
    }

    /// Makes a change: applies it to the open transaction and to the writer's state, collects its effects, and adds it to the
    /// entry.
    pub(super) fn change(&mut self, change: Change) -> Result<(), StoreError> {
        self.store.apply(&change)?;
        self.follow(&change)?;
        self.effects.add(&change, &self.rooms)?;
        self.record(change);
        Ok(())
    }

    /// Keeps the writer's state equal to the database with the change.
    fn follow(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::RoomAdded(added) => {
                let key = RoomKey::from_number(added.room).filter(|key| key.index() == self.rooms.len());
                let key = key.ok_or(StoreError::InvalidChange { field: "room" })?;
                let id = RoomId::new(added.id.as_str());
                self.rooms.push(RoomRow::new(key, id, &added.name, added.epoch, added.created_at_ms));
            }
            Change::EventAppended(appended) => self.follow_event(appended)?,
            Change::MarkerSet(marker) => {
                let key = RoomKey::from_number(marker.room).map(|room| (UserKey(marker.user), room));
                if let Some(key) = key
                    && let Some(own_above) = self.authors.get_mut(&key)
                {
                    self.undo.note_author(key);
                    *own_above = marker.own_above;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn follow_event(&mut self, appended: &EventAppended) -> Result<(), StoreError> {
        let key = RoomKey::from_number(appended.room).filter(|key| key.index() < self.rooms.len());
        let key = key.ok_or(StoreError::InvalidChange { field: "room" })?;
        let room = &mut self.rooms[key.index()];
        if appended.seq != room.head + 1 {
            return Err(StoreError::InvalidChange { field: "seq" });
        }
        self.undo.keep_head(room);
        (room.head, room.messages, room.last_ms) = (appended.seq, appended.messages, appended.created_at_ms);
        if appended.is_message {
            if self.authors.len() >= CACHED_AUTHORS {
                self.authors.clear();
            }
            let author = (UserKey(appended.author), key);
            self.undo.note_author(author);
            self.authors.insert(author, appended.own_above);
        }
        Ok(())
    }

    /// A room by its key. Keys come from the directory, which has no room that the writer does not have.
    pub(super) fn room(&self, key: RoomKey) -> Result<&RoomRow, ChatError> {
        self.rooms.get(key.index()).ok_or(ChatError::RoomNotFound)
    }

    /// Number of rooms.
    pub(super) fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Adds a room without events.
    pub(super) fn add_room(
        &mut self,
        id: &RoomId,
        name: &str,
        name_key: String,
        epoch: u64,
    ) -> Result<RoomKey, StoreError> {
        let key = RoomKey::from_index(self.rooms.len());
        self.change(Change::RoomAdded(RoomAdded {
            room: key.number(),
            id: id.as_str().to_owned(),
            name: name.to_owned(),
            name_key,
            epoch,
            created_at_ms: self.now_ms,
        }))?;
        Ok(key)
    }

    /// Appends an event to a room's log. Returns its number and time.
    pub(super) fn append(
        &mut self,
        key: RoomKey,
        body: &EventBody,
        author: Option<Author>,
        is_message: bool,
    ) -> Result<(u64, i64), StoreError> {
        let own_above = match author {
            Some(author) if is_message => self.own_above(author.user, key)? + 1,
            Some(author) => self.mark_author(author.user).map(|()| 0)?,
            None => 0,
        };
        let room = &self.rooms[key.index()];
        // An event is never older than the one before it.
        let (seq, created_at_ms) = (room.head + 1, self.now_ms.max(room.last_ms));
        self.change(Change::EventAppended(EventAppended {
            room: key.number(),
            seq,
            created_at_ms,
            messages: room.messages + u64::from(is_message),
            author: author.map_or(0, |author| author.user.0),
            operation_id: author.map(|author| author.operation.as_bytes().to_vec()).unwrap_or_default(),
            is_message,
            own_above,
            event: body.encode_at(room.id.as_str(), seq, created_at_ms),
        }))?;
        Ok((seq, created_at_ms))
    }

    /// Number of an author's own messages above their read marker. Marks them as an author.
    fn own_above(&mut self, user: UserKey, room: RoomKey) -> Result<u64, StoreError> {
        if let Some(own_above) = self.authors.get(&(user, room)) {
            return Ok(*own_above);
        }
        self.mark_author(user)?;
        Ok(self.store.marker(user, room)?.own_above)
    }

    /// Marks a user as the author of an event: then the user is never removed.
    fn mark_author(&mut self, user: UserKey) -> Result<(), StoreError> {
        if self.store.is_author(user)? {
            return Ok(());
        }
        self.change(Change::AuthorMarked(AuthorMarked { user: user.0 }))
    }

    /// Sets a user's marker.
    pub(super) fn set_marker(
        &mut self,
        user: UserKey,
        room: RoomKey,
        marker: StoredMarker,
    ) -> Result<(), StoreError> {
        let StoredMarker { read_seq, read_messages, own_above } = marker;
        let (user, room) = (user.0, room.number());
        self.change(Change::MarkerSet(MarkerSet { user, room, read_seq, read_messages, own_above }))
    }

    /// Sets a new user's markers to the heads: older messages are not unread.
    pub(super) fn mark_all_read(&mut self, user: UserKey) -> Result<(), StoreError> {
        for index in 0..self.rooms.len() {
            let RoomRow { key, head, messages, .. } = self.rooms[index];
            let marker = StoredMarker { read_seq: head, read_messages: messages, own_above: 0 };
            self.set_marker(user, key, marker)?;
        }
        Ok(())
    }

    /// Ends a session.
    pub(super) fn remove_session(&mut self, token: &TokenHash, user: UserKey) -> Result<(), StoreError> {
        let token_hash = token.as_bytes().to_vec();
        self.change(Change::SessionRemoved(SessionRemoved { token_hash, user: user.0 }))
    }

    /// Frees the name of a user without a session; false if they have one.
    pub(super) fn free_name_unless_live(&mut self, user: UserKey) -> Result<bool, StoreError> {
        if !self.store.sessions_of(user)?.is_empty() {
            return Ok(false);
        }
        self.change(Change::NameFreed(NameFreed { user: user.0 }))?;
        Ok(true)
    }

    /// Removes a batch of expired and unused sessions, and of guests who have left.
    pub(super) fn sweep(&mut self, unused_lifetime: Duration) -> Result<(), StoreError> {
        if self.expired(unused_lifetime)?.is_empty() {
            return Ok(());
        }
        self.transact(|group| {
            let Expired { sessions, users, joins } = group.expired(unused_lifetime)?;
            tracing::debug!(
                sessions = sessions.len(),
                users = users.len(),
                "removing expired and unused sessions and guests who have left"
            );
            for (token, user) in sessions {
                group.remove_session(&token, user)?;
                group.free_name_unless_live(user)?;
            }
            for user in users {
                group.change(Change::UserRemoved(UserRemoved { user: user.0 }))?;
            }
            for attempt_hash in joins {
                group.change(Change::JoinForgotten(JoinForgotten { attempt_hash }))?;
            }
            Ok(())
        })
    }

    fn expired(&self, unused_lifetime: Duration) -> Result<Expired, StoreError> {
        let now_ms = self.shared.clock.now_ms();
        let lifetime_ms = i64::try_from(unused_lifetime.as_millis()).unwrap_or(i64::MAX);
        // Removal is final: a clock that was wrong at the start must not end sessions.
        let ended_before_ms = if self.shared.clock.is_settled() { now_ms } else { i64::MIN };
        let is_connected = |user| self.shared.streams.is_connected(user);
        self.store.expired(ended_before_ms, now_ms.saturating_sub(lifetime_ms), is_connected)
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
