//! A room in the browser's database: what is written of it, and the room that is read back.

use proto::chat::v1 as pb;

use super::RoomLog;
use crate::kept::MAX_MESSAGES;
use crate::message::Message;

impl RoomLog {
    /// The room as its copy begins, with the messages that are kept.
    pub(crate) fn from_kept(
        state: &pb::RoomState,
        kept: pb::ListEventsResponse,
        me: &str,
    ) -> Option<RoomLog> {
        let info = state.room.clone()?;
        let Some(first) = kept.events.first().map(|event| event.seq) else {
            return Some(RoomLog::new(info, state, me));
        };
        // The messages may be older than the list of rooms; the server replays what is between.
        let before =
            pb::RoomState { head_seq: first.saturating_sub(1), head_fingerprint: 0, ..state.clone() };
        let mut room = RoomLog::new(info, &before, me);
        for event in kept.events {
            room.append(event);
        }
        room.counted = room.last;
        if let Some(as_of) = kept.as_of {
            room.set_fingerprint(as_of.seq, as_of.fingerprint);
        }
        room.kept = (room.first, room.last);
        Some(room)
    }

    /// The room's state as far as it is known here.
    pub(crate) fn state(&self) -> pb::RoomState {
        let pb::Cursor { epoch, seq, fingerprint, .. } = self.cursor();
        pb::RoomState {
            room: Some(self.info.clone()),
            epoch,
            head_seq: seq,
            read_seq: self.read_seq,
            unread: self.unread,
            head_fingerprint: fingerprint,
            head_created_at_ms: self.active_ms,
            ..pb::RoomState::default()
        }
    }

    /// The newest messages, when they differ from those that were given last and reach the log's end.
    pub(crate) fn take_to_keep(&mut self) -> Option<pb::ListEventsResponse> {
        let range = (self.first, self.last);
        if self.messages.is_empty() || !self.is_attached() || self.kept == range {
            return None;
        }
        self.kept = range;
        let skipped = self.messages.len().saturating_sub(MAX_MESSAGES);
        let events = self.messages.iter().skip(skipped).map(Message::to_event).collect();
        Some(pb::ListEventsResponse { events, as_of: Some(self.cursor()), ..Default::default() })
    }
}
