//! The start from the copy in the browser's database, while the server does not answer, and what is written into that copy.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use super::{ChatModel, Now, Phase};
use crate::connection::Link;
use crate::effect::Effect;
use crate::kept::{Kept, KeptList, MAX_ROOMS, ToKeep};
use crate::message::Author;
use crate::outbox::Outbox;
use crate::state::ChatState;

impl ChatModel {
    /// Shows the copy until the server has said who is signed in and what is new. It counts only while a part of that is not known.
    pub fn restore(&mut self, kept: Kept) {
        let Kept { list: KeptList { at_ms, user, rooms }, messages } = kept;
        if self.phase == Phase::Starting {
            self.user = Some(Arc::new(Author { id: user.id.clone(), name: user.name.clone() }));
            self.replace_state(ChatState::new(&user.id, Outbox::new(&user.id)));
            self.phase = Phase::SignedIn;
            self.effects.extend([Effect::LoadOutbox, Effect::ShowUser(Some(user))]);
        } else if self.awaits_first_frame() && self.is_known_as(&user) {
            // The attempt that runs has no cursors, and would make the rooms begin anew.
            self.effects.push(Effect::ReconnectAfter(Duration::ZERO));
        } else {
            return;
        }
        self.state.restore(at_ms, rooms, messages);
        self.is_ready = true;
    }

    /// Time of the copy that is shown, in milliseconds since the Unix epoch; `None` once the server has brought it up to date.
    pub fn kept_at_ms(&self) -> Option<i64> {
        self.state.kept_at_ms()
    }

    /// The entries that bring the copy up to date; `None` while the chat itself is not.
    pub fn take_to_keep(&mut self, now: Now) -> Option<ToKeep> {
        let user = self.user.clone()?;
        if !self.is_ready || self.kept_at_ms().is_some() {
            return None;
        }
        let user = proto::chat::v1::User { id: user.id.clone(), name: user.name.clone() };
        let mut by_activity: Vec<_> =
            self.state.rooms().iter().map(|room| (-room.active_ms(), room.id())).collect();
        by_activity.sort_unstable();
        let room_ids: Vec<String> =
            by_activity.iter().take(MAX_ROOMS).map(|(_, id)| (*id).to_owned()).collect();
        let rooms = self.state.rooms().iter().map(|room| room.state()).collect();
        let changed = self.state.take_to_keep(&room_ids);
        Some(ToKeep { list: KeptList { at_ms: now.wall_ms, user, rooms }, room_ids, changed })
    }

    /// Whether the server has still to say who is signed in.
    pub(super) fn waits_for_session(&self) -> bool {
        match self.phase {
            Phase::Starting => true,
            Phase::SignedOut { .. } => false,
            Phase::SignedIn => !self.has_session,
        }
    }

    /// Whether the copy that is shown belongs to this user.
    pub(super) fn shows_kept_of(&self, user: &proto::chat::v1::User) -> bool {
        self.waits_for_session() && self.is_known_as(user)
    }

    fn is_known_as(&self, user: &proto::chat::v1::User) -> bool {
        self.user.as_ref().is_some_and(|known| known.id == user.id && known.name == user.name)
    }

    /// Whether a user is signed in, and nothing of the stream has come yet.
    fn awaits_first_frame(&self) -> bool {
        let has_begun = !matches!(self.link(), Link::Connecting | Link::Waiting { .. });
        self.has_session && !has_begun && self.state.rooms().is_empty()
    }
}
