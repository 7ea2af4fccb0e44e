//! What the message list shows, row by row: a room's messages with the days between them, the line
//! where unread begins, and who starts a group. Keys are stable: a row that is shown before and
//! after a change has the same key.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use uuid::Uuid;

use super::outbox::{Pending, PendingState, Reason};
use super::state::{Author, Body, Message, RoomLog};
use super::window::{Bounds, Window};

/// Messages of one author that follow each other within this time are one group.
const GROUP_MS: i64 = 5 * 60 * 1_000;

/// How far before the slice the message is looked for that its first row depends on.
const LOOK_BACK: usize = 100;

/// What stays the same about a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RowKey {
    /// The beginning of the room.
    Start,
    /// A day.
    Day(i64),
    /// The line.
    Unread,
    /// A message of somebody else, by its number.
    Seq(u64),
    /// An own message, by its operation: the same while it waits and when it is stored.
    Own(Uuid),
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) key: RowKey,
    pub(crate) body: RowBody,
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RowBody {
    /// The room was made.
    Start { author: Arc<Author>, at_ms: i64 },
    /// Here begins the day of this moment.
    Day { at_ms: i64 },
    /// Here begins what is unread.
    Unread,
    /// A message.
    Message(MessageRow),
}

/// A message as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MessageRow {
    /// Its place in the log; none while it is pending.
    pub(crate) seq: Option<u64>,
    pub(crate) operation_id: Option<Uuid>,
    pub(crate) author: Arc<Author>,
    pub(crate) at_ms: i64,
    pub(crate) text: Arc<str>,
    /// Whether it begins a group, and so shows its author.
    pub(crate) heads_group: bool,
    pub(crate) delivery: Delivery,
}

/// How far a message has come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Delivery {
    /// It is in the log.
    Stored,
    /// It is not yet.
    Waiting,
    /// It does not come by itself any more.
    NotSent(Reason),
}

/// The positions of a room's loaded messages, and of its pending ones when the end is loaded.
pub(crate) fn bounds(room: &RoomLog, pending: usize) -> Bounds {
    let pending = if room.is_attached() { pending as u64 } else { 0 };
    Bounds { first: room.first(), end: room.end() + 1 + pending }
}

/// The rows of a slice. `unread_from` is the first number under the line; `day_of` names the day of
/// a moment where the reader is.
pub(crate) fn build(
    room: &RoomLog,
    pending: &[&Pending],
    window: Window,
    unread_from: Option<u64>,
    me: &str,
    day_of: &dyn Fn(i64) -> i64,
) -> Vec<Row> {
    let mut builder =
        Builder { rows: Vec::new(), previous: None, shows_a_day: false, unread_from, me, day_of };
    let earlier = (room.first()..window.first).rev().take(LOOK_BACK).filter_map(|seq| room.get(seq));
    if let Some(before) = earlier.into_iter().find(|message| matches!(message.body, Body::Text(_))) {
        builder.look_at(before);
    }
    for seq in window.first..window.end.min(room.end() + 1) {
        if let Some(message) = room.get(seq) {
            builder.stored(message);
        }
    }
    if room.is_attached() {
        let after_log = room.end() + 1;
        for (position, pending) in (after_log..).zip(pending) {
            if window.contains(position) {
                builder.pending(pending);
            }
        }
    }
    builder.rows
}

struct Builder<'a> {
    rows: Vec<Row>,
    previous: Option<Previous>,
    shows_a_day: bool,
    unread_from: Option<u64>,
    me: &'a str,
    day_of: &'a dyn Fn(i64) -> i64,
}

/// The message before: what a day and a group depend on.
struct Previous {
    author: Arc<Author>,
    at_ms: i64,
    day: i64,
}

impl Builder<'_> {
    /// The message before the slice: it has no row, and the first row depends on it.
    fn look_at(&mut self, message: &Message) {
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
                self.unread_line(message.seq);
                let own = message.author.id == self.me;
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
                        heads_group: false,
                        delivery: Delivery::Stored,
                    },
                );
            }
        }
    }

    fn pending(&mut self, pending: &Pending) {
        let delivery = match &pending.state {
            // What is stored at a place that is not known yet would move if it looked settled.
            PendingState::Waiting | PendingState::Sending | PendingState::Stored { .. } => Delivery::Waiting,
            PendingState::NotSent(reason) => Delivery::NotSent(reason.clone()),
        };
        // This machine's clock may be behind the server's; days never go back.
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
                heads_group: false,
                delivery,
            },
        );
    }

    fn message(&mut self, key: RowKey, mut row: MessageRow) {
        let day = (self.day_of)(row.at_ms);
        let day = self.previous.as_ref().map_or(day, |previous| previous.day.max(day));
        let new_day = self.previous.as_ref().is_none_or(|previous| previous.day < day);
        let after_line = matches!(self.rows.last(), Some(Row { key: RowKey::Unread, .. }));
        // The slice's first day is named even where the day began above it.
        if new_day || !self.shows_a_day {
            self.shows_a_day = true;
            // The line belongs under the day that it falls on.
            let at = self.rows.len() - usize::from(after_line);
            self.rows.insert(at, Row { key: RowKey::Day(day), body: RowBody::Day { at_ms: row.at_ms } });
        }
        row.heads_group = new_day || after_line || !self.continues_group(&row);
        self.previous = Some(Previous { author: row.author.clone(), at_ms: row.at_ms, day });
        self.rows.push(Row { key, body: RowBody::Message(row) });
    }

    fn continues_group(&self, row: &MessageRow) -> bool {
        self.previous.as_ref().is_some_and(|previous| {
            row.at_ms - previous.at_ms < GROUP_MS && previous.author.id == row.author.id
        })
    }

    fn unread_line(&mut self, seq: u64) {
        if self.unread_from.is_some_and(|from| from <= seq) {
            // It stands above the first such message only, and not at all when that is above the
            // slice.
            let is_first = self.unread_from == Some(seq);
            self.unread_from = None;
            if is_first {
                self.rows.push(Row { key: RowKey::Unread, body: RowBody::Unread });
            }
        }
    }
}
