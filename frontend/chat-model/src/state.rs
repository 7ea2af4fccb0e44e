//! All rooms and the outbox. The state changes only by applying the server's frames and responses and the person's actions.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use proto::chat::v1::{self as pb, subscribe_response::Frame};
use uuid::Uuid;

use crate::history::HistoryPage;
use crate::outbox::Outbox;
use crate::room::{Reader, RoomLog};
use crate::window::Place;

/// Cursors in one request.
const CURSORS_MAX: usize = proto::limits::chat::MAX_CURSORS;

/// All rooms and the outbox of one user.
#[derive(Debug, Default)]
pub struct ChatState {
    user_id: String,
    rooms: Vec<RoomLog>,
    view: Option<View>,
    /// The reader's places in rooms that were left above their end.
    places: HashMap<String, Place>,
    /// Time of the copy that the rooms are from, in milliseconds since the Unix epoch, until the server has brought them up to date.
    kept_at_ms: Option<i64>,
    /// Messages of the user that are not in a log yet.
    pub outbox: Outbox,
}

/// The room that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct View {
    room_id: String,
    reader: Reader,
}

/// A frame that concerns the stream rather than a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamSignal {
    /// The stream belongs to this user.
    Hello(pb::User),
    /// Every room is at its head.
    CaughtUp,
    /// An event was lost on the way: the stream has to resume from the cursors.
    MissedEvents,
    /// The server ends the stream.
    Goodbye(pb::Goodbye),
}

impl ChatState {
    /// The state of a user whose rooms are not known yet.
    pub fn new(user_id: &str, outbox: Outbox) -> ChatState {
        ChatState { user_id: user_id.to_owned(), outbox, ..ChatState::default() }
    }

    /// The user's id.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The rooms, ordered by creation.
    pub fn rooms(&self) -> &[RoomLog] {
        &self.rooms
    }

    /// A room by its id.
    pub fn room(&self, id: &str) -> Option<&RoomLog> {
        self.rooms.iter().find(|room| room.id() == id)
    }

    /// Missed events that are still to come.
    pub fn catching_up(&self) -> u64 {
        self.rooms.iter().map(RoomLog::catching_up).sum()
    }

    /// The positions to resume from, one for each room.
    pub fn cursors(&self) -> Vec<pb::Cursor> {
        self.rooms.iter().take(CURSORS_MAX).map(RoomLog::cursor).collect()
    }

    /// Applies a frame of the stream.
    pub(crate) fn apply(&mut self, frame: pb::SubscribeResponse) -> Option<StreamSignal> {
        match frame.frame? {
            Frame::Hello(hello) => {
                self.rooms.iter_mut().for_each(RoomLog::unconfirm);
                hello.user.map(StreamSignal::Hello)
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
                self.rooms.iter_mut().for_each(RoomLog::finish_catch_up);
                self.kept_at_ms = None;
                Some(StreamSignal::CaughtUp)
            }
            Frame::ReadMarker(marker) => {
                if let Some(room) = find(&mut self.rooms, &marker.room_id) {
                    room.apply_read_marker(marker.read_seq, marker.unread);
                }
                None
            }
            Frame::Heartbeat(heartbeat) => {
                heartbeat.heads.iter().any(|head| self.is_behind(head)).then_some(StreamSignal::MissedEvents)
            }
            Frame::Goodbye(goodbye) => Some(StreamSignal::Goodbye(goodbye)),
        }
    }

    /// Applies a frame of another tab's stream. That stream has begun from cursors of its own, so a gap is possible; it is reported as
    /// missed events, and nothing after it is applied.
    pub(crate) fn apply_shared(&mut self, frame: pb::SubscribeResponse) -> Option<StreamSignal> {
        match frame.frame.as_ref()? {
            Frame::Hello(hello) => hello.user.clone().map(StreamSignal::Hello),
            Frame::CaughtUp(_) => None,
            Frame::RoomState(state) => {
                let id = state.room.as_ref()?.id.as_str();
                match self.room(id) {
                    None => self.apply(frame),
                    Some(room) if room.epoch() != state.epoch || state.recovery() == pb::Recovery::Lost => {
                        Some(StreamSignal::MissedEvents)
                    }
                    Some(_) => None,
                }
            }
            Frame::Events(events) => {
                let first = events.events.first()?;
                match self.room(&first.room_id) {
                    Some(room) if first.seq <= room.last() + 1 => self.apply(frame),
                    _ => Some(StreamSignal::MissedEvents),
                }
            }
            Frame::ReadMarker(_) | Frame::Heartbeat(_) | Frame::Goodbye(_) => self.apply(frame),
        }
    }

    /// Applies the server's state of a room, from the stream or from creating one.
    pub fn apply_room_state(&mut self, state: pb::RoomState) {
        let Some(info) = state.room.clone() else { return };
        match find(&mut self.rooms, &info.id) {
            Some(room) => room.apply_state(info, &state),
            None => {
                let place = self.rooms.partition_point(|room| room.sorts_before(&info));
                let mut room = RoomLog::new(info, &state, &self.user_id);
                if let Some(view) = self.view.as_ref().filter(|view| view.room_id == room.id()) {
                    room.set_reader(view.reader);
                }
                self.rooms.insert(place, room);
            }
        }
        self.settle_stored();
    }

    /// Fills the state with the rooms of a copy of `at_ms`.
    pub(crate) fn restore(
        &mut self,
        at_ms: i64,
        rooms: Vec<pb::RoomState>,
        messages: Vec<pb::ListEventsResponse>,
    ) {
        let rooms = rooms.iter().zip(messages);
        self.rooms =
            rooms.filter_map(|(room, messages)| RoomLog::from_kept(room, messages, &self.user_id)).collect();
        self.kept_at_ms = Some(at_ms);
    }

    /// Time of the copy that the rooms are from, in milliseconds since the Unix epoch; `None` once the server has brought them up to
    /// date.
    pub(crate) fn kept_at_ms(&self) -> Option<i64> {
        self.kept_at_ms
    }

    /// The messages of these rooms that have changed since they were written into the copy.
    pub(crate) fn take_to_keep(&mut self, ids: &[String]) -> Vec<(String, pb::ListEventsResponse)> {
        let kept = |room: &RoomLog| ids.iter().any(|id| id == room.id());
        let rooms = self.rooms.iter_mut().filter(|room| kept(room));
        rooms.filter_map(|room| Some((room.id().to_owned(), room.take_to_keep()?))).collect()
    }

    /// Applies a page of a room's history.
    pub fn apply_history(&mut self, room_id: &str, page: HistoryPage, answer: pb::ListEventsResponse) {
        let Some(room) = find(&mut self.rooms, room_id) else { return };
        for event in &answer.events {
            settle(&mut self.outbox, &self.user_id, event);
        }
        room.apply_history(page, answer);
        self.settle_stored();
    }

    /// The server stored a message of this user.
    pub fn apply_sent(&mut self, operation_id: Uuid, answer: &pb::SendMessageResponse) {
        let Some(pending) = self.outbox.mark_stored(operation_id, answer.epoch, answer.seq) else { return };
        let event = pb::Event {
            room_id: pending.room_id.clone(),
            seq: answer.seq,
            created_at_ms: answer.created_at_ms,
            author: Some(pb::User { id: self.user_id.clone(), name: pending.author.name.clone() }),
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

    /// Applies the server's response to moving a read marker.
    pub fn apply_marked(&mut self, room_id: &str, answer: pb::MarkReadResponse) {
        if let Some(room) = find(&mut self.rooms, room_id) {
            room.apply_read_marker(answer.read_seq, answer.unread);
        }
    }

    /// The user has read a room up to `seq`.
    pub fn mark_read(&mut self, room_id: &str, seq: u64) {
        if let Some(room) = find(&mut self.rooms, room_id) {
            let unread = if seq >= room.last() { 0 } else { room.unread() };
            room.move_read_marker(seq, unread);
        }
    }

    /// Sets the room that is shown, and whether its reader is at the end. Rooms that are not shown keep few messages.
    pub fn set_view(&mut self, view: Option<(&str, bool)>) {
        let view = view.map(|(room_id, at_end)| View {
            room_id: room_id.to_owned(),
            reader: if at_end { Reader::AtEnd } else { Reader::Above },
        });
        if view == self.view {
            return;
        }
        if let Some(old) = self.view.take()
            && let Some(room) = find(&mut self.rooms, &old.room_id)
        {
            room.set_reader(Reader::Away);
        }
        if let Some(new) = &view
            && let Some(room) = find(&mut self.rooms, &new.room_id)
        {
            room.set_reader(new.reader);
        }
        self.view = view;
        for room in &mut self.rooms {
            room.trim();
        }
    }

    /// The place at which the reader left a room; `None` at its end.
    pub fn place(&self, room_id: &str) -> Option<Place> {
        self.places.get(room_id).copied()
    }

    /// Sets the reader's place in a room.
    pub fn set_place(&mut self, room_id: &str, place: Option<Place>) {
        match place {
            Some(place) => self.places.insert(room_id.to_owned(), place),
            None => self.places.remove(room_id),
        };
    }

    fn apply_events(&mut self, pb::Events { events, fingerprint }: pb::Events) {
        let Some(last) = events.last() else { return };
        let (room_id, last) = (last.room_id.clone(), last.seq);
        let Some(room) = find(&mut self.rooms, &room_id) else { return };
        for event in events {
            settle(&mut self.outbox, &self.user_id, &event);
            room.apply_event(event);
        }
        room.set_fingerprint(last, fingerprint);
        room.trim();
        self.settle_stored();
    }

    fn is_behind(&self, head: &pb::Cursor) -> bool {
        self.room(&head.room_id).is_none_or(|room| room.epoch() != head.epoch || room.last() < head.seq)
    }

    /// Removes the stored messages from the outbox whose place the log has reached.
    fn settle_stored(&mut self) {
        let rooms = &self.rooms;
        self.outbox.settle_stored(|room_id, epoch, seq| {
            let room = rooms.iter().find(|room| room.id() == room_id);
            // A place in a log that was replaced is never reached.
            room.is_some_and(|room| room.epoch() != epoch || room.last() >= seq)
        });
    }
}

fn find<'a>(rooms: &'a mut [RoomLog], id: &str) -> Option<&'a mut RoomLog> {
    rooms.iter_mut().find(|room| room.id() == id)
}

/// Removes the message of an event from the outbox of the event's author.
fn settle(outbox: &mut Outbox, user_id: &str, event: &pb::Event) {
    if event.author.as_ref().is_some_and(|author| author.id == user_id)
        && let Ok(operation_id) = Uuid::from_slice(&event.operation_id)
    {
        outbox.settle(operation_id);
    }
}
