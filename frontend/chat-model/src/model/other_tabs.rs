//! The steps that other tabs of the browser cause: their frames, their messages, their sessions.

use proto::chat::v1 as pb;

use super::{ChatModel, Now, Phase};
use crate::effect::Effect;
use crate::outbox::OtherTab;
use crate::state::StreamSignal;

impl ChatModel {
    /// Applies a frame of another tab's stream. Returns false when its session is over, and the frames after it are void.
    pub fn apply_shared_frame(&mut self, frame: pb::SubscribeResponse, now: Now) -> bool {
        self.connection.heard();
        match self.state.apply_shared(frame) {
            Some(StreamSignal::Hello(user)) if self.is_other_user(&user) => {
                self.end_session(false, now);
                self.sign_in(user, now);
                return false;
            }
            Some(StreamSignal::MissedEvents) => self.effects.push(Effect::CatchUp),
            Some(StreamSignal::Goodbye(goodbye)) => {
                let signed_out = goodbye.reason() == pb::GoodbyeReason::SignedOut;
                if signed_out || !goodbye.reconnect {
                    self.end_session(signed_out, now);
                    return false;
                }
            }
            Some(StreamSignal::Hello(_) | StreamSignal::CaughtUp) | None => {}
        }
        true
    }

    /// Sends the messages of all tabs from now on.
    pub fn take_over(&mut self, now: Now) {
        self.state.outbox.take_over();
        self.send_due(now);
    }

    /// Sets whether the browser has no connection left, because each tab has a stream.
    pub fn set_too_many_tabs(&mut self, too_many: bool) {
        self.connection.set_too_many_tabs(too_many);
    }

    /// Somebody is signed in, in another tab. The cookie is shared.
    pub fn joined_in_other_tab(&mut self) {
        let shows_kept = self.phase == Phase::SignedIn && self.waits_for_session();
        if shows_kept || matches!(self.phase, Phase::SignedOut { .. }) {
            self.effects.push(Effect::FindSession);
        }
    }

    /// Another tab changed the storage.
    pub fn changed_in_other_tab(&mut self, change: OtherTab, now: Now) {
        match change {
            OtherTab::Stored(message) => {
                self.state.outbox.restore([message], now.wall_ms);
                self.send_due(now);
            }
            OtherTab::Discarded(operation_id) => self.state.outbox.remove_discarded(operation_id),
        }
    }

    /// Whether the cookie, which all tabs share, is another user's by now.
    pub(super) fn is_other_user(&self, user: &pb::User) -> bool {
        self.user.as_ref().is_some_and(|known| known.id != user.id)
    }
}
