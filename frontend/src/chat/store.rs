//! The chat's signals and actions. Components read the signals and call the actions; [`chat_model`] decides, and
//! `effects` carries out its decisions.
//!
//! The chat lives as long as the page: visiting another page interrupts nothing.

use chat_model::{
    connection::Strip,
    effect::Effect,
    history::{HistoryPage, Loading, Side},
    kept::ToKeep,
    model::{ChatModel, Now, Phase},
    room::RoomLog,
    rooms::RoomSummary,
    state::ChatState,
    window::Place,
};
use leptos::prelude::*;
use proto::chat::v1 as pb;
use uuid::Uuid;

use super::runtime::Runtime;
use crate::{api::Api, intl, session_context::SessionContext};

/// The chat. All copies are the same chat.
#[derive(Clone, Copy)]
pub(crate) struct Chat {
    model: StoredValue<ChatModel, LocalStorage>,
    pub(super) runtime: StoredValue<Runtime, LocalStorage>,
    /// Carries out an effect.
    carry_out: fn(Chat, Effect),
    session: SessionContext,
    /// The part of the chat to show.
    pub(crate) phase: RwSignal<Phase>,
    /// All rooms, ordered by creation.
    pub(crate) rooms: RwSignal<Vec<RoomSummary>>,
    /// Whether the rooms are known.
    pub(crate) is_ready: RwSignal<bool>,
    /// Time of the browser's copy of the chat, while that is shown, in milliseconds since the Unix epoch.
    pub(crate) kept_at_ms: RwSignal<Option<i64>>,
    /// The connection strip.
    pub(crate) strip: RwSignal<Strip>,
    /// Changes with every change of the state.
    pub(crate) version: RwSignal<u32>,
    /// Seconds left of the server's pushback while messages wait for it.
    pub(crate) pushback_seconds: RwSignal<Option<u64>>,
    /// Whether the browser could store every message of the outbox.
    pub(crate) is_outbox_stored: RwSignal<bool>,
}

impl Chat {
    /// A chat that has not started, whose effects `carry_out` does.
    pub(super) fn new(runtime: Runtime, session: SessionContext, carry_out: fn(Chat, Effect)) -> Chat {
        Chat {
            model: StoredValue::new_local(ChatModel::new(is_online(), now())),
            runtime: StoredValue::new_local(runtime),
            carry_out,
            session,
            phase: RwSignal::new(Phase::Starting),
            rooms: RwSignal::new(Vec::new()),
            is_ready: RwSignal::new(false),
            kept_at_ms: RwSignal::new(None),
            strip: RwSignal::new(Strip::Nothing),
            version: RwSignal::new(0),
            pushback_seconds: RwSignal::new(None),
            is_outbox_stored: RwSignal::new(true),
        }
    }

    /// Changes the model, carries out the effects that follow, and shows the result.
    pub(super) fn act<T>(self, change: impl FnOnce(&mut ChatModel, Now) -> T) -> T {
        let result = self.act_unseen(change);
        self.show();
        result
    }

    /// Changes nothing that is shown.
    fn act_unseen<T>(self, change: impl FnOnce(&mut ChatModel, Now) -> T) -> T {
        let now = now();
        let step = self.model.try_update_value(|model| {
            let result = change(model, now);
            (result, model.finish(now))
        });
        let (result, effects) = step.expect("the chat is never disposed of");
        for effect in effects {
            (self.carry_out)(self, effect);
        }
        result
    }

    /// The client of the server.
    pub(super) fn api(self) -> Api {
        self.runtime.with_value(|runtime| runtime.api.clone())
    }

    /// Reads the model.
    pub(super) fn read_model<T>(self, read: impl FnOnce(&ChatModel) -> T) -> T {
        self.model.with_value(read)
    }

    /// Reads the state.
    pub(crate) fn read<T>(self, read: impl FnOnce(&ChatState) -> T) -> T {
        self.model.with_value(|model| read(model.state()))
    }

    /// Reads a room, when it is known.
    pub(crate) fn read_room<T>(self, room_id: &str, read: impl FnOnce(&RoomLog) -> T) -> Option<T> {
        self.read(|state| state.room(room_id).map(read))
    }

    /// Writes a message.
    pub(crate) fn write(self, room_id: &str, text: &str) {
        self.act(|model, now| model.write(Uuid::now_v7(), room_id, text, now));
    }

    /// Sends a message again that was not sent.
    pub(crate) fn try_again(self, operation_id: Uuid) {
        self.act(|model, now| model.try_again(operation_id, now));
    }

    /// Discards a message that was not sent.
    pub(crate) fn discard(self, operation_id: Uuid) {
        self.act(|model, _| model.discard(operation_id));
    }

    /// The reader has read a room up to `seq`.
    pub(crate) fn mark_read(self, room_id: &str, seq: u64) {
        if self.read_room(room_id, |room| room.read_seq() < seq && seq <= room.last()) == Some(true) {
            self.act(|model, _| model.mark_read(room_id, seq));
        }
    }

    /// Sets the room that is shown, and whether its reader is at the end.
    pub(crate) fn set_view(self, view: Option<(&str, bool)>) {
        self.model.update_value(|model| model.set_view(view));
    }

    /// Sets the reader's place in a room; `None` at its end.
    pub(crate) fn set_place(self, room_id: &str, place: Option<Place>) {
        self.model.update_value(|model| model.set_place(room_id, place));
    }

    /// The state of loading a side of a room.
    pub(crate) fn loading(self, room_id: &str, side: Side) -> Loading {
        self.model.with_value(|model| model.loading(room_id, side))
    }

    /// Loads a page of a room's history, unless that side of the room is loading.
    pub(crate) fn load_history(self, room_id: &str, page: HistoryPage) {
        self.act_unseen(|model, _| model.load_history(room_id, page));
    }

    /// Lets failed loads be requested again.
    pub(crate) fn retry_loads(self) {
        self.act(|model, _| model.retry_loads());
    }

    /// Connects and sends without waiting for the next attempt.
    pub(crate) fn retry_now(self) {
        self.act(|model, now| model.retry_now(now));
    }

    /// The changes that the browser's copy of the chat lacks.
    pub(super) fn take_to_keep(self) -> Option<ToKeep> {
        self.act_unseen(|model, now| model.take_to_keep(now))
    }

    pub(super) fn set_outbox_stored(self, is_stored: bool) {
        set_if_changed(self.is_outbox_stored, is_stored);
    }

    /// Shows who is signed in, to the chat and the rest of the page.
    pub(super) fn show_user(self, user: Option<pb::User>) {
        self.session.user.set(user);
        // Also when it stays the same: another user's chat is drawn from the start.
        self.phase.set(self.model.with_value(ChatModel::phase));
    }

    /// Brings the signals up to date with the model.
    fn show(self) {
        let now = now();
        self.model.with_value(|model| {
            let rooms = model.state().rooms();
            let is_current = self.rooms.with_untracked(|shown| {
                shown.len() == rooms.len()
                    && shown.iter().zip(rooms).all(|(shown, room)| shown.describes(room))
            });
            if !is_current {
                self.rooms.set(rooms.iter().map(RoomSummary::of).collect());
            }
            set_if_changed(self.phase, model.phase());
            set_if_changed(self.kept_at_ms, model.kept_at_ms());
            set_if_changed(self.is_ready, model.is_ready());
            set_if_changed(self.strip, model.strip(now));
            let left_ms = model.pushback_left_ms(now);
            set_if_changed(self.pushback_seconds, left_ms.map(|left_ms| left_ms.div_ceil(1_000)));
        });
        self.version.update(|version| *version = version.wrapping_add(1));
    }
}

/// The chat of the page.
pub(crate) fn use_chat() -> Chat {
    expect_context::<Chat>()
}

/// Sets a signal, when its value differs and it still exists.
pub(super) fn set_if_changed<T: PartialEq>(signal: impl WithUntracked<Value = T> + Set<Value = T>, value: T) {
    if signal.try_with_untracked(|shown| *shown != value) == Some(true) {
        signal.set(value);
    }
}

/// The time.
pub(super) fn now() -> Now {
    let page_ms = window().performance().map(|performance| performance.now()).unwrap_or_default();
    Now { wall_ms: intl::now_ms(), page_ms }
}

/// Whether the browser has a network.
pub(super) fn is_online() -> bool {
    window().navigator().on_line()
}
