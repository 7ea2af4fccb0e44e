//! The whole chat: it decides, and names the effects that have to be carried out.
//!
//! Every method is something that happened: a person's action, a response, a frame, a change of the network, time passing. After each,
//! [`ChatModel::finish`] gives the effects that follow.

mod network;
mod offline;
mod other_tabs;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use proto::chat::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::connection::{Connection, Link, Strip};
use crate::effect::Effect;
use crate::history::{HistoryLoads, HistoryPage, Loading, Side};
use crate::message::Author;
use crate::outbox::{Outbox, PendingMessage, SendFailure, StorageChange, StoredMessage};
use crate::read_markers::ReadMarkers;
use crate::state::{ChatState, StreamSignal};
use crate::window::Place;

/// Time in which the stream brings a frame after a message was sent, because the message comes back on it.
const ECHO_TIMEOUT: Duration = Duration::from_secs(5);

/// The part of the chat that the page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is not known yet whether there is a session.
    Starting,
    /// Nobody is signed in.
    SignedOut {
        /// Whether a session has just ended.
        session_ended: bool,
    },
    /// A user is signed in.
    SignedIn,
}

/// The time, by both clocks of the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// This machine's clock, in milliseconds since the Unix epoch. It can be set back.
    pub wall_ms: i64,
    /// The page's monotonic clock, in milliseconds.
    pub page_ms: f64,
}

/// The chat.
#[derive(Debug)]
pub struct ChatModel {
    phase: Phase,
    state: ChatState,
    user: Option<Arc<Author>>,
    /// Whether the server has said that the user is signed in.
    has_session: bool,
    /// Whether the rooms are known.
    is_ready: bool,
    connection: Connection,
    loads: HistoryLoads,
    read_markers: ReadMarkers,
    /// Whether a server's pushback stopped the outbox after the last step.
    had_pushback: bool,
    effects: Vec<Effect>,
}

impl ChatModel {
    /// A chat that begins with the question whether there is a session.
    pub fn new(online: bool, now: Now) -> ChatModel {
        ChatModel {
            phase: Phase::Starting,
            state: ChatState::default(),
            user: None,
            has_session: false,
            is_ready: false,
            connection: Connection::new(online, now.page_ms),
            loads: HistoryLoads::default(),
            read_markers: ReadMarkers::default(),
            had_pushback: false,
            effects: vec![Effect::FindSession],
        }
    }

    /// The part of the chat to show.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Rooms and outbox.
    pub fn state(&self) -> &ChatState {
        &self.state
    }

    /// Whether the rooms are known.
    pub fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// The state of the stream.
    pub fn link(&self) -> Link {
        self.connection.link()
    }

    /// The connection strip.
    pub fn strip(&self, now: Now) -> Strip {
        self.connection.strip(self.state.catching_up(), now.page_ms)
    }

    /// Time left of a server's pushback while messages wait for it, in milliseconds.
    pub fn pushback_left_ms(&self, now: Now) -> Option<u64> {
        let left_ms = self.state.outbox.pushback_left_ms(now.wall_ms)?;
        self.state.outbox.is_waiting().then_some(left_ms.unsigned_abs())
    }

    /// The state of loading a side of a room.
    pub fn loading(&self, room_id: &str, side: Side) -> Loading {
        self.loads.get(room_id, side)
    }

    /// Ends a step: the effects that follow from it, in order.
    pub fn finish(&mut self, now: Now) -> Vec<Effect> {
        let has_pushback = self.pushback_left_ms(now).is_some();
        if self.had_pushback && !has_pushback {
            self.resume_outbox(now);
        }
        self.had_pushback = has_pushback;
        // A message must be in storage before it is sent.
        let changes = self.state.outbox.take_changes();
        if !changes.is_empty() {
            self.effects.insert(0, Effect::Store(changes));
        }
        if self.has_session {
            for (room_id, seq) in self.read_markers.take_due(self.state.rooms(), now.page_ms) {
                self.effects.push(Effect::MarkRead { room_id, seq });
            }
        }
        self.effects.extend(self.connection.take_due(now.page_ms).map(Effect::from));
        if let Some(wait_ms) = self.changes_in_ms(now) {
            self.effects.push(Effect::WakeAfter(Duration::from_millis(wait_ms.ceil() as u64)));
        }
        std::mem::take(&mut self.effects)
    }

    // Session

    /// There is no session.
    pub fn no_session(&mut self, now: Now) {
        if self.phase == Phase::SignedIn {
            return self.end_session(true, now);
        }
        self.phase = Phase::SignedOut { session_ended: false };
        self.connection.set_link(Link::Idle, now.page_ms);
        self.effects.push(Effect::ForgetKept);
    }

    /// A user is signed in.
    pub fn sign_in(&mut self, user: pb::User, now: Now) {
        let shows_kept = self.shows_kept_of(&user);
        self.has_session = true;
        if shows_kept {
            // The stream goes on from where the copy ends.
            self.connection.set_link(Link::Connecting, now.page_ms);
            return self.effects.push(Effect::Subscribe);
        }
        self.user = Some(Arc::new(Author { id: user.id.clone(), name: user.name.clone() }));
        self.replace_state(ChatState::new(&user.id, Outbox::new(&user.id)));
        self.connection.set_link(Link::Connecting, now.page_ms);
        self.phase = Phase::SignedIn;
        self.effects.extend([Effect::LoadOutbox, Effect::Subscribe, Effect::ShowUser(Some(user))]);
    }

    /// The session is over. `session_ended` is false when the user signed out.
    pub fn end_session(&mut self, session_ended: bool, now: Now) {
        if self.phase == Phase::SignedIn {
            self.leave(Phase::SignedOut { session_ended }, Link::Idle, now);
            self.effects.push(Effect::ForgetKept);
        }
    }

    /// The stream ended for a reason that calling again does not mend: begins as after a reload.
    pub fn restart(&mut self, now: Now) {
        self.leave(Phase::Starting, Link::Starting, now);
        self.effects.push(Effect::FindSession);
    }

    fn leave(&mut self, phase: Phase, link: Link, now: Now) {
        self.phase = phase;
        self.user = None;
        self.has_session = false;
        self.connection.set_link(link, now.page_ms);
        self.effects.push(Effect::Unsubscribe);
        self.replace_state(ChatState::default());
        self.effects.push(Effect::ShowUser(None));
    }

    fn replace_state(&mut self, state: ChatState) {
        // Changes that are still due belong to the old outbox, which is dropped.
        let changes = self.state.outbox.take_changes();
        if !changes.is_empty() {
            self.effects.push(Effect::Store(changes));
        }
        self.state = state;
        self.is_ready = false;
        self.loads.clear();
        self.read_markers.clear();
    }

    // Stream

    /// Applies a frame. Returns false when its session is over, and the frames after it are void.
    pub fn apply_frame(&mut self, frame: pb::SubscribeResponse, now: Now) -> bool {
        self.connection.heard();
        match self.state.apply(frame) {
            None => {}
            Some(StreamSignal::Hello(user)) if self.is_other_user(&user) => {
                // Another tab joined as another user; the cookie is shared.
                self.end_session(false, now);
                self.sign_in(user, now);
                return false;
            }
            Some(StreamSignal::Hello(_)) => {
                self.connection.set_link(Link::CatchingUp, now.page_ms);
                self.resume_outbox(now);
            }
            Some(StreamSignal::CaughtUp) => {
                self.is_ready = true;
                self.connection.set_link(Link::Live, now.page_ms);
                self.loads.forget_failures();
                self.resume_outbox(now);
            }
            Some(StreamSignal::MissedEvents) => self.effects.push(Effect::ReconnectAfter(Duration::ZERO)),
            Some(StreamSignal::Goodbye(goodbye)) => {
                let signed_out = goodbye.reason() == pb::GoodbyeReason::SignedOut;
                if signed_out || !goodbye.reconnect {
                    self.end_session(signed_out, now);
                    return false;
                }
                let after = Duration::from_millis(goodbye.reconnect_after_ms.into());
                self.effects.push(Effect::ReconnectAfter(after));
            }
        }
        true
    }

    // Rooms

    /// The user created a room. Returns its id.
    pub fn room_created(&mut self, response: pb::CreateRoomResponse) -> Option<String> {
        let state = response.room?;
        let id = state.room.as_ref()?.id.clone();
        self.state.apply_room_state(state);
        Some(id)
    }

    /// Sets the room that is shown, and whether its reader is at the end.
    pub fn set_view(&mut self, view: Option<(&str, bool)>) {
        self.state.set_view(view);
    }

    /// Sets the reader's place in a room; `None` at its end.
    pub fn set_place(&mut self, room_id: &str, place: Option<Place>) {
        self.state.set_place(room_id, place);
    }

    /// The user has read a room up to `seq`.
    pub fn mark_read(&mut self, room_id: &str, seq: u64) {
        self.state.mark_read(room_id, seq);
    }

    /// The server stored a read marker, or the call failed.
    pub fn read_marker_sent(&mut self, room_id: String, response: Option<pb::MarkReadResponse>, now: Now) {
        let succeeded = response.is_some();
        if let Some(response) = response {
            self.state.apply_marked(&room_id, response);
        }
        self.read_markers.finish(room_id, succeeded, now.page_ms);
    }

    /// Loads a page of history, unless that side of the room is loading.
    pub fn load_history(&mut self, room_id: &str, page: HistoryPage) {
        if self.loads.start(room_id, page.side()) {
            self.effects.push(Effect::LoadHistory { room_id: room_id.to_owned(), page });
        }
    }

    /// A page of history arrived, or the call failed.
    pub fn history_loaded(
        &mut self,
        room_id: &str,
        page: HistoryPage,
        response: Option<pb::ListEventsResponse>,
    ) {
        let loading = if response.is_some() { Loading::Idle } else { Loading::Failed };
        if let Some(response) = response {
            self.state.apply_history(room_id, page, response);
        }
        self.loads.finish(room_id, page.side(), loading);
    }

    /// Lets failed loads be requested again.
    pub fn retry_loads(&mut self) {
        self.loads.forget_failures();
    }

    // Outbox

    /// The user wrote a message.
    pub fn write(&mut self, operation_id: Uuid, room_id: &str, text: &str, now: Now) {
        if let Some(user) = self.user.clone() {
            self.state.outbox.add(operation_id, user, room_id, text, now.wall_ms);
        }
        self.send_due(now);
    }

    /// The user asked to send a message again.
    pub fn try_again(&mut self, operation_id: Uuid, now: Now) {
        if let Some(user) = self.user.clone() {
            self.state.outbox.try_again(operation_id, &user, now.wall_ms);
        }
        self.send_due(now);
    }

    /// The user discarded a message.
    pub fn discard(&mut self, operation_id: Uuid) {
        self.state.outbox.discard(operation_id);
    }

    /// Messages of an earlier page were found in storage.
    pub fn outbox_loaded(&mut self, stored: Vec<StoredMessage>, now: Now) {
        self.state.outbox.restore(stored, now.wall_ms);
    }

    /// The server stored a message.
    pub fn sent(&mut self, message: &PendingMessage, response: &pb::SendMessageResponse, now: Now) {
        self.connection.call_answered();
        self.state.apply_sent(message.operation_id, response);
        // Removed here too, because the session may have ended meanwhile, and its outbox with it.
        let (author_id, operation_id) = (message.author.id.clone(), message.operation_id);
        self.effects.push(Effect::Store(vec![StorageChange::Remove { author_id, operation_id }]));
        self.send_due(now);
    }

    /// An attempt to send a message failed.
    pub fn send_failed(&mut self, operation_id: Uuid, failure: &SendFailure, now: Now) {
        match failure.cause {
            None => self.connection.call_answered(),
            Some(cause) => self.connection.call_failed(cause),
        }
        let outbox = &mut self.state.outbox;
        outbox.mark_failed(operation_id, failure, now.wall_ms);
        // The end of a pushback has a time of its own.
        if outbox.is_waiting() && outbox.pushback_left_ms(now.wall_ms).is_none() {
            self.effects.push(Effect::ResumeOutboxLater);
        }
        if failure.code == Code::Unauthenticated && failure.cause.is_none() {
            self.end_session(true, now);
        }
        self.send_due(now);
    }

    /// Sends messages that stopped at a failure.
    pub fn resume_outbox(&mut self, now: Now) {
        self.state.outbox.resume();
        self.send_due(now);
    }

    fn send_due(&mut self, now: Now) {
        // The cookie may be another user's until the server has said whose it is.
        if self.connection.can_send() && self.has_session {
            let due = self.state.outbox.take_due(now.wall_ms);
            if !due.is_empty() {
                self.effects.push(Effect::ProbeStream(ECHO_TIMEOUT));
            }
            self.effects.extend(due.into_iter().map(Effect::Send));
        }
    }

    /// Milliseconds until something changes with time alone: the strip, a countdown, a read marker that is due.
    fn changes_in_ms(&self, now: Now) -> Option<f64> {
        let next_second = self.pushback_left_ms(now).map(|left_ms| ((left_ms - 1) % 1_000 + 1) as f64);
        let strip = self.connection.changes_in_ms(now.page_ms);
        let read_marker = self.read_markers.due_in_ms(self.state.rooms(), now.page_ms);
        let read_marker = read_marker.filter(|_| self.has_session);
        [next_second, strip, read_marker].into_iter().flatten().min_by(f64::total_cmp)
    }
}
