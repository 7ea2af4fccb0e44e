//! What the page knows of the rooms, as plain data: it changes only by applying what the server says
//! and what the person does. It knows no DOM, no clock, no network and no storage.

mod room;
#[cfg(test)]
mod tests;

use proto::chat::v1::{self as pb, subscribe_response::Frame};
use uuid::Uuid;

pub(crate) use self::room::{Author, Body, Message, RoomLog};
use super::outbox::Outbox;

/// How many missed events of a room the server is asked to replay; above it, the newest so many
/// come and the rest when somebody scrolls there.
pub(crate) const REPLAY_LIMIT: u32 = 500;

/// Cursors that one request may carry; see chat.proto.
const CURSORS_MAX: usize = proto::limits::chat::MAX_CURSORS;

/// Everything the page knows of the chat.
#[derive(Debug, Default)]
pub(crate) struct ChatState {
    me: String,
    rooms: Vec<RoomLog>,
    view: Option<View>,
    /// What was written here and is not in a log yet.
    pub(crate) outbox: Outbox,
}

/// The room that is shown, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct View {
    room_id: String,
    at_end: bool,
}

/// What a frame asks of whoever holds the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// The stream belongs to this user.
    Hello(pb::User),
    /// Every room is at its head.
    CaughtUp,
    /// An event was lost on the way: resume from the cursors.
    Resync,
    /// The server ends the stream.
    Goodbye(pb::Goodbye),
}

/// Which page of a log was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The newest events.
    Newest,
    /// Those before this one.
    Before(u64),
    /// Those after this one.
    After(u64),
    /// Those around this one.
    Around(u64),
}

impl ChatState {
    /// Nothing known yet, for this user.
    pub(crate) fn new(user: &pb::User, outbox: Outbox) -> ChatState {
        ChatState { me: user.id.clone(), outbox, ..ChatState::default() }
    }

    /// The user's id.
    pub(crate) fn me(&self) -> &str {
        &self.me
    }

    /// The rooms, ordered by creation.
    pub(crate) fn rooms(&self) -> &[RoomLog] {
        &self.rooms
    }

    /// A room by its id.
    pub(crate) fn room(&self, id: &str) -> Option<&RoomLog> {
        self.rooms.iter().find(|room| room.id() == id)
    }

    /// How many missed events are still to come.
    pub(crate) fn catching_up(&self) -> u64 {
        self.rooms.iter().map(RoomLog::catching_up).sum()
    }

    /// Where to resume each room.
    pub(crate) fn cursors(&self) -> Vec<pb::Cursor> {
        self.rooms.iter().take(CURSORS_MAX).map(RoomLog::cursor).collect()
    }

    /// Applies one frame of the stream.
    pub(crate) fn apply(&mut self, frame: pb::SubscribeResponse) -> Option<Demand> {
        match frame.frame? {
            Frame::Hello(hello) => {
                self.rooms.iter_mut().for_each(RoomLog::doubt);
                hello.user.map(Demand::Hello)
            }
            Frame::RoomState(state) => {
                self.apply_room_state(state);
                None
            }
            Frame::Events(events) => {
                self.apply_events(events);
                None
            }
            Frame::CaughtUp(pb::CaughtUp {}) => {
                self.rooms.retain(RoomLog::is_confirmed);
                self.rooms.iter_mut().for_each(RoomLog::caught_up);
                Some(Demand::CaughtUp)
            }
            Frame::ReadMarker(marker) => {
                if let Some(room) = find(&mut self.rooms, &marker.room_id) {
                    room.apply_read_marker(marker.read_seq, marker.unread);
                }
                None
            }
            Frame::Heartbeat(heartbeat) => {
                heartbeat.heads.iter().any(|head| self.is_behind(head)).then_some(Demand::Resync)
            }
            Frame::Goodbye(goodbye) => Some(Demand::Goodbye(goodbye)),
        }
    }

    /// A room as the server has it, from the stream or from making one.
    pub(crate) fn apply_room_state(&mut self, state: pb::RoomState) {
        let Some(info) = state.room.clone() else { return };
        match find(&mut self.rooms, &info.id) {
            Some(room) => room.apply_state(info, &state),
            None => {
                let place = self.rooms.partition_point(|room| room.sorts_before(&info));
                let mut room = RoomLog::new(info, &state, &self.me);
                room.set_viewed(
                    self.view.as_ref().filter(|view| view.room_id == room.id()).map(|view| view.at_end),
                );
                self.rooms.insert(place, room);
            }
        }
        self.settle_stored();
    }

    /// A page of a room's log. Whether it changed what is loaded.
    pub(crate) fn apply_history(
        &mut self,
        room_id: &str,
        page: Page,
        answer: pb::ListEventsResponse,
    ) -> bool {
        let Some(room) = find(&mut self.rooms, room_id) else { return false };
        for event in &answer.events {
            settle(&mut self.outbox, &self.me, event);
        }
        let changed = room.apply_history(page, answer);
        self.settle_stored();
        changed
    }

    /// The server stored a message of ours.
    pub(crate) fn apply_sent(&mut self, operation_id: Uuid, answer: &pb::SendMessageResponse) {
        let Some(pending) = self.outbox.stored(operation_id, answer.epoch, answer.seq) else { return };
        let event = pb::Event {
            room_id: pending.room_id.clone(),
            seq: answer.seq,
            created_at_ms: answer.created_at_ms,
            author: Some(pb::User { id: self.me.clone(), name: pending.author.name.clone() }),
            operation_id: operation_id.as_bytes().to_vec().into(),
            body: Some(pb::event::Body::MessagePosted(pb::MessagePosted { text: pending.text.to_string() })),
        };
        if let Some(room) = find(&mut self.rooms, &event.room_id)
            && room.epoch() == answer.epoch
            && room.last() + 1 == answer.seq
        {
            room.append(event);
        }
        self.settle_stored();
    }

    /// The server's read marker, as an answer.
    pub(crate) fn apply_marked(&mut self, room_id: &str, answer: pb::MarkReadResponse) {
        if let Some(room) = find(&mut self.rooms, room_id) {
            room.apply_read_marker(answer.read_seq, answer.unread);
        }
    }

    /// The person has read a room up to here.
    pub(crate) fn mark_read(&mut self, room_id: &str, seq: u64) {
        if let Some(room) = find(&mut self.rooms, room_id) {
            let unread = if seq >= room.last() { 0 } else { room.unread() };
            room.move_read_marker(seq, unread);
        }
    }

    /// Which room is shown, if any, and whether its reader is at the end. A room that is no longer
    /// shown keeps little.
    pub(crate) fn set_view(&mut self, view: Option<(&str, bool)>) {
        let view = view.map(|(room_id, at_end)| View { room_id: room_id.to_owned(), at_end });
        if view == self.view {
            return;
        }
        if let Some(old) = self.view.take()
            && let Some(room) = find(&mut self.rooms, &old.room_id)
        {
            room.set_viewed(None);
        }
        if let Some(new) = &view
            && let Some(room) = find(&mut self.rooms, &new.room_id)
        {
            room.set_viewed(Some(new.at_end));
        }
        self.view = view;
        for room in &mut self.rooms {
            room.trim();
        }
    }

    fn apply_events(&mut self, pb::Events { events, fingerprint }: pb::Events) {
        let Some(last) = events.last() else { return };
        let (room_id, last) = (last.room_id.clone(), last.seq);
        let Some(room) = find(&mut self.rooms, &room_id) else { return };
        for event in events {
            settle(&mut self.outbox, &self.me, &event);
            room.apply_event(event);
        }
        room.note_fingerprint(last, fingerprint);
        room.trim();
        self.settle_stored();
    }

    fn is_behind(&self, head: &pb::Cursor) -> bool {
        self.room(&head.room_id).is_none_or(|room| room.epoch() != head.epoch || room.last() < head.seq)
    }

    /// Messages that the server said it stored leave the outbox when the log has come to them.
    fn settle_stored(&mut self) {
        let rooms = &self.rooms;
        self.outbox.settle_stored(|room_id, epoch, seq| {
            let room = rooms.iter().find(|room| room.id() == room_id);
            // In a log that was replaced it has no place any more.
            room.is_some_and(|room| room.epoch() != epoch || room.last() >= seq)
        });
    }
}

fn find<'a>(rooms: &'a mut [RoomLog], id: &str) -> Option<&'a mut RoomLog> {
    rooms.iter_mut().find(|room| room.id() == id)
}

fn settle(outbox: &mut Outbox, me: &str, event: &pb::Event) {
    if event.author.as_ref().is_some_and(|author| author.id == me)
        && let Ok(operation_id) = Uuid::from_slice(&event.operation_id)
    {
        outbox.settle(operation_id);
    }
}
