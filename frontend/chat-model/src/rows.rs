//! The rows of the message list: messages in groups, the days between them, and the line above the first unread message. A row
//! keeps its key over changes.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use uuid::Uuid;

use crate::message::{Author, Body, Message};
use crate::outbox::{NotSentReason, PendingMessage, PendingState};
use crate::room::RoomLog;
use crate::window::{Bounds, Window};

/// Longest time between two messages of a group, in milliseconds.
const GROUP_MS: i64 = 5 * 60 * 1_000;

/// Entries before the window among which the message before its first row is looked for.
const LOOK_BACK: usize = 100;

/// The identity of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowKey {
    /// The creation of the room.
    Start,
    /// A day, by its number.
    Day(i64),
    /// The line above the first unread message.
    Unread,
    /// A message of another user, by its sequence number.
    Seq(u64),
    /// A message of this user, by its operation id, which it has while it is pending and afterwards.
    Own(Uuid),
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The identity.
    pub key: RowKey,
    /// The content.
    pub body: RowBody,
}

/// The content of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowBody {
    /// The room was created.
    Start {
        /// The room's creator.
        author: Arc<Author>,
        /// The time, in milliseconds since the Unix epoch.
        at_ms: i64,
    },
    /// A day begins.
    Day {
        /// A moment of the day, in milliseconds since the Unix epoch.
        at_ms: i64,
    },
    /// The unread messages begin.
    Unread,
    /// A message.
    Message(MessageRow),
}

/// A message in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageRow {
    /// The sequence number; `None` while the message is pending.
    pub seq: Option<u64>,
    /// The operation id of a message of this user.
    pub operation_id: Option<Uuid>,
    /// The author.
    pub author: Arc<Author>,
    /// The time, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The text.
    pub text: Arc<str>,
    /// Whether the message is the first of its group, which shows the author.
    pub starts_group: bool,
    /// The delivery state.
    pub delivery: Delivery,
}

/// The delivery state of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// The message is in the log.
    Stored,
    /// The message is waiting or on its way.
    Waiting,
    /// The message is not sent until a person asks.
    NotSent(NotSentReason),
}

/// The positions of a room's loaded messages, followed by those of its pending ones when the end of the log is loaded.
pub fn bounds(room: &RoomLog, pending: usize) -> Bounds {
    let pending = if room.is_attached() { pending as u64 } else { 0 };
    Bounds { first: room.first(), end: room.end() + 1 + pending }
}

/// Makes rows of a room's messages.
pub(crate) struct Rows<'a> {
    /// The room.
    pub(crate) room: &'a RoomLog,
    /// Its pending messages.
    pub(crate) pending: &'a [&'a PendingMessage],
    /// The user's id.
    pub(crate) user_id: &'a str,
    /// Gives the number of the day of a moment in the reader's time zone.
    pub(crate) day_of: &'a dyn Fn(i64) -> i64,
}

impl<'a> Rows<'a> {
    /// The rows of a window. `unread_from` is the lowest sequence number under the unread line.
    pub(crate) fn of_window(&self, window: Window, unread_from: Option<u64>) -> Vec<Row> {
        let room = self.room;
        // The line is left out where it is above the window.
        let mut builder = self.builder(unread_from.filter(|from| *from >= window.first));
        let earlier = (room.first()..window.first).rev().take(LOOK_BACK).filter_map(|seq| room.get(seq));
        if let Some(before) = earlier.into_iter().find(|message| matches!(message.body, Body::Text(_))) {
            builder.set_previous(before);
        }
        for seq in window.first..window.end.min(room.end() + 1) {
            if let Some(message) = room.get(seq) {
                builder.stored(message);
            }
        }
        if room.is_attached() {
            let after_log = room.end() + 1;
            for (position, pending) in (after_log..).zip(self.pending) {
                if window.contains(position) {
                    builder.pending(pending);
                }
            }
        }
        builder.rows
    }

    /// The row of one message, when it is loaded or pending.
    pub(crate) fn of_message(&self, key: &RowKey, seq: Option<u64>) -> Option<Row> {
        let mut builder = self.builder(None);
        if let Some(message) = seq.and_then(|seq| self.room.get(seq)) {
            builder.stored(message);
        } else if let RowKey::Own(id) = key {
            builder.pending(self.pending.iter().find(|pending| pending.operation_id == *id)?);
        }
        builder.rows.pop().filter(|row| row.key == *key)
    }

    fn builder(&self, unread_from: Option<u64>) -> Builder<'a> {
        let (user_id, day_of) = (self.user_id, self.day_of);
        Builder { rows: Vec::new(), previous: None, has_day: false, unread_from, user_id, day_of }
    }
}

struct Builder<'a> {
    rows: Vec<Row>,
    previous: Option<Previous>,
    has_day: bool,
    unread_from: Option<u64>,
    user_id: &'a str,
    day_of: &'a dyn Fn(i64) -> i64,
}

/// The message before, which decides on a new day or group.
struct Previous {
    author: Arc<Author>,
    at_ms: i64,
    day: i64,
}

impl Builder<'_> {
    /// Sets the message before the window, which has no row.
    fn set_previous(&mut self, message: &Message) {
        self.previous = Some(Previous {
            author: message.author.clone(),
            at_ms: message.at_ms,
            day: (self.day_of)(message.at_ms),
        });
    }

    fn stored(&mut self, message: &Message) {
        match &message.body {
            Body::Unknown => {}
            Body::Created => {
                let body = RowBody::Start { author: message.author.clone(), at_ms: message.at_ms };
                self.rows.push(Row { key: RowKey::Start, body });
            }
            Body::Text(text) => {
                let own = message.author.id == self.user_id;
                if !own {
                    self.unread_line(message.seq);
                }
                let key = match message.operation_id {
                    Some(operation_id) if own => RowKey::Own(operation_id),
                    _ => RowKey::Seq(message.seq),
                };
                self.message(
                    key,
                    MessageRow {
                        seq: Some(message.seq),
                        operation_id: message.operation_id.filter(|_| own),
                        author: message.author.clone(),
                        at_ms: message.at_ms,
                        text: text.clone(),
                        starts_group: false,
                        delivery: Delivery::Stored,
                    },
                );
            }
        }
    }

    fn pending(&mut self, pending: &PendingMessage) {
        let delivery = match &pending.state {
            // A stored message whose place is not loaded yet may still move.
            PendingState::Waiting | PendingState::Sending | PendingState::Stored { .. } => Delivery::Waiting,
            PendingState::NotSent(reason) => Delivery::NotSent(reason.clone()),
        };
        // This machine's clock may be behind the server's, and days must not go back.
        let at_ms =
            self.previous.as_ref().map_or(pending.at_ms, |previous| previous.at_ms.max(pending.at_ms));
        self.message(
            RowKey::Own(pending.operation_id),
            MessageRow {
                seq: None,
                operation_id: Some(pending.operation_id),
                author: pending.author.clone(),
                at_ms,
                text: pending.text.clone(),
                starts_group: false,
                delivery,
            },
        );
    }

    fn message(&mut self, key: RowKey, mut row: MessageRow) {
        let day = (self.day_of)(row.at_ms);
        let day = self.previous.as_ref().map_or(day, |previous| previous.day.max(day));
        let new_day = self.previous.as_ref().is_none_or(|previous| previous.day < day);
        let follows_line = matches!(self.rows.last(), Some(Row { key: RowKey::Unread, .. }));
        // The first day of the window is shown even where it began above the window.
        if new_day || !self.has_day {
            self.has_day = true;
            // The day stands above the unread line.
            let at = self.rows.len() - usize::from(follows_line);
            self.rows.insert(at, Row { key: RowKey::Day(day), body: RowBody::Day { at_ms: row.at_ms } });
        }
        row.starts_group = new_day || follows_line || !self.continues_group(&row);
        self.previous = Some(Previous { author: row.author.clone(), at_ms: row.at_ms, day });
        self.rows.push(Row { key, body: RowBody::Message(row) });
    }

    fn continues_group(&self, row: &MessageRow) -> bool {
        self.previous.as_ref().is_some_and(|previous| {
            row.at_ms - previous.at_ms < GROUP_MS && previous.author.id == row.author.id
        })
    }

    /// Adds the unread line before the first unread message.
    fn unread_line(&mut self, seq: u64) {
        if self.unread_from.is_some_and(|from| from <= seq) {
            self.unread_from = None;
            self.rows.push(Row { key: RowKey::Unread, body: RowBody::Unread });
        }
    }
}
