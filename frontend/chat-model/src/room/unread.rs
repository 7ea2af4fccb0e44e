//! The read marker of a room, and its unread messages.

use proto::chat::v1 as pb;

use super::RoomLog;
use crate::message::{Body, Message};

impl RoomLog {
    /// Takes the server's count, unless the marker was moved here and the server has not stored that yet.
    pub(super) fn apply_unread(&mut self, state: &pb::RoomState) {
        self.server_read_seq = state.read_seq;
        self.unread = state.unread;
        self.counted = state.head_seq;
        if state.read_seq >= self.read_seq {
            self.read_seq = state.read_seq;
        } else if self.has_all_above(self.read_seq) {
            self.unread = self.count_above(self.read_seq);
            self.counted = self.last;
        }
    }

    /// Applies the server's read marker.
    pub(crate) fn apply_read_marker(&mut self, read_seq: u64, unread: u32) {
        self.server_read_seq = self.server_read_seq.max(read_seq);
        self.move_read_marker(read_seq, unread);
    }

    /// Moves the read marker forward. Unread messages are counted where they are loaded; otherwise `unread` is their number.
    pub(crate) fn move_read_marker(&mut self, read_seq: u64, unread: u32) {
        if read_seq < self.read_seq {
            return;
        }
        self.read_seq = read_seq;
        if self.has_all_above(read_seq) {
            self.unread = self.count_above(read_seq);
            self.counted = self.counted.max(self.last);
        } else if read_seq >= self.last {
            self.unread = 0;
        } else {
            self.unread = unread;
        }
    }

    /// The read marker, when the server has not stored it yet.
    pub(crate) fn unsent_read_seq(&self) -> Option<u64> {
        (self.read_seq > self.server_read_seq).then_some(self.read_seq)
    }

    /// Whether every message above `seq` is loaded.
    fn has_all_above(&self, seq: u64) -> bool {
        self.is_attached() && self.first <= seq + 1
    }

    fn count_above(&self, read_seq: u64) -> u32 {
        let above = usize::try_from(read_seq + 1 - self.first).unwrap_or(usize::MAX);
        let unread = self.messages.iter().skip(above).filter(|message| self.is_unread_kind(message)).count();
        u32::try_from(unread).unwrap_or(u32::MAX)
    }

    /// The first unread message, when the messages from the read marker on are loaded.
    pub fn first_unread(&self) -> Option<u64> {
        self.first_unread_index().and_then(|above| {
            let mut above = self.messages.iter().skip(above);
            above.find(|message| self.is_unread_kind(message)).map(|message| message.seq)
        })
    }

    /// Whether loading more history cannot change [`RoomLog::first_unread`].
    pub fn knows_first_unread(&self) -> bool {
        self.unread == 0 || self.first_unread_index().is_some()
    }

    fn first_unread_index(&self) -> Option<usize> {
        usize::try_from((self.read_seq + 1).checked_sub(self.first)?).ok()
    }

    /// Whether a message before `seq` is unread. Those that are not loaded count.
    pub fn has_unread_before(&self, seq: u64) -> bool {
        if self.unread == 0 || seq <= self.read_seq + 1 {
            return false;
        }
        self.first > self.read_seq + 1
            || (self.read_seq + 1..seq)
                .any(|seq| self.get(seq).is_none_or(|message| self.is_unread_kind(message)))
    }

    /// The unread messages after `seq`; all unread ones where not all of them are loaded.
    pub fn unread_after(&self, seq: u64) -> u32 {
        let seq = seq.max(self.read_seq);
        if self.has_all_above(seq) { self.count_above(seq) } else { self.unread }
    }

    /// Whether an entry counts as unread above the read marker: a message of another user.
    pub fn is_unread_kind(&self, message: &Message) -> bool {
        matches!(message.body, Body::Text(_)) && message.author.id != self.me
    }
}
