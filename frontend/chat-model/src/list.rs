//! The message list of one room between two looks at the state: its window, the unread line, the scroll goal, and the messages to
//! announce. Measuring and scrolling are the page's.

#[cfg(test)]
mod tests;

use crate::history::HistoryPage;
use crate::message::{Body, Message};
use crate::outbox::PendingMessage;
use crate::room::RoomLog;
use crate::rows::{self, Row, RowBody};
use crate::state::ChatState;
use crate::window::{Bounds, Scroll, Window};

/// Unread messages up to which a room opens at the unread line. With more the line is far away, and the room opens at its end.
const MAX_UNREAD_TO_LINE: u32 = 60;

/// A place to scroll to when the rows are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The end of the list.
    End,
    /// The line above the first unread message.
    UnreadLine,
    /// A message, by its sequence number.
    Message(u64),
}

/// The rows to draw, and what belongs to them.
#[derive(Debug)]
pub struct Plan {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether there are older messages than the loaded ones.
    pub has_earlier: bool,
    /// Whether there are newer messages than the loaded ones.
    pub has_later: bool,
    /// Whether nobody has written in the room.
    pub is_empty: bool,
    /// New messages of others, to be read out by screen readers.
    pub announcements: Vec<Message>,
}

/// What follows from the reader's scroll position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing is loaded; this page comes first.
    LoadFirst(HistoryPage),
    /// The window shows part of the log.
    Window {
        /// Whether the reader is at the end, and follows new messages.
        at_end: bool,
        /// Whether the end of the list is the end of the log.
        shows_log_end: bool,
        /// Whether the window moved, so that the rows change.
        moved: bool,
        /// The page of older messages to load.
        earlier: Option<HistoryPage>,
        /// The page of newer messages to load.
        later: Option<HistoryPage>,
    },
}

/// The message list of one room.
#[derive(Debug)]
pub struct ListModel {
    window: Option<Window>,
    goal: Option<Goal>,
    /// A message to go to that is not loaded yet.
    target: Option<u64>,
    /// The first sequence number below the unread line.
    unread_from: Option<u64>,
    /// Whether the reader has scrolled since the room was opened.
    touched: bool,
    /// The last sequence number that was announced or needs no announcement.
    announced: u64,
    /// Whether the reader was at the end and reading at the last look.
    reads_end: bool,
}

impl ListModel {
    /// A list that opens at `target`, or else at its end. Messages up to `announced` are not announced.
    pub fn new(target: Option<u64>, announced: u64) -> ListModel {
        ListModel {
            window: None,
            goal: None,
            target,
            unread_from: None,
            touched: false,
            announced,
            reads_end: false,
        }
    }

    /// Goes to a message, now or when it is loaded.
    pub fn go_to(&mut self, seq: u64) {
        self.target = Some(seq);
    }

    /// Goes to the newest messages.
    pub fn go_to_end(&mut self) {
        self.target = None;
        self.window = None;
        self.goal = Some(Goal::End);
    }

    /// The reader has scrolled, or is about to.
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// Whether a goal waits for the rows to be drawn.
    pub fn has_goal(&self) -> bool {
        self.goal.is_some()
    }

    /// Takes the goal.
    pub fn take_goal(&mut self) -> Option<Goal> {
        self.goal.take()
    }

    /// Whether any part of the log is shown.
    pub fn has_window(&self) -> bool {
        self.window.is_some()
    }

    /// The rows to draw. With `follow` the window stays at the end; `day_of` gives the number of the day of a moment.
    pub fn plan(
        &mut self,
        state: &ChatState,
        room_id: &str,
        follow: bool,
        day_of: &dyn Fn(i64) -> i64,
    ) -> Option<Plan> {
        let room = state.room(room_id)?;
        let pending: Vec<&PendingMessage> = state.outbox.of_room(room_id).collect();
        let bounds = rows::bounds(room, pending.len());
        let announcements = self.take_announcements(room);
        if let Some(seq) = self.target.filter(|seq| room.get(*seq).is_some()) {
            self.target = None;
            self.goal = Some(Goal::Message(seq));
            if self.window.is_none_or(|window| !window.contains(seq)) {
                self.window = Some(Window::around(seq, bounds));
            }
        }
        self.place_unread_line(room, follow);
        let is_loading = room.loaded() == 0 && room.last() > 0;
        if is_loading || self.target.is_some() && self.window.is_none() {
            self.window = None;
            return Some(Plan {
                rows: Vec::new(),
                has_earlier: false,
                has_later: true,
                is_empty: false,
                announcements,
            });
        }
        let window = self.window.get_or_insert_with(|| Window::at_end(bounds));
        window.fit(bounds, follow);
        let rows = rows::build(room, &pending, *window, self.unread_from, state.user_id(), day_of);
        let is_empty = !room.has_earlier() && !rows.iter().any(|row| matches!(row.body, RowBody::Message(_)));
        Some(Plan {
            rows,
            has_earlier: room.has_earlier(),
            has_later: !room.is_attached(),
            is_empty,
            announcements,
        })
    }

    /// Moves the window with the reader, and says which history to load. `follows_end` is whether the reader was at the end before.
    /// `None` for an unknown room.
    pub fn look(
        &mut self,
        state: &ChatState,
        room_id: &str,
        scroll: Scroll,
        follows_end: bool,
    ) -> Option<Look> {
        let room = state.room(room_id)?;
        let bounds = room_bounds(state, room);
        let Some(window) = &mut self.window else {
            return self.first_page(state, room_id).map(Look::LoadFirst);
        };
        let moved = window.follow_reader(scroll, bounds);
        let attached = room.is_attached();
        let sees_end = scroll.is_at_end() && window.end == bounds.end && attached && self.target.is_none();
        // A reader who wants the newest messages still does at the end of a detached range.
        let at_end = sees_end || (follows_end && !attached && scroll.is_at_end());
        let earlier =
            (room.has_earlier() && window.needs_earlier(bounds)).then_some(HistoryPage::Before(bounds.first));
        let later = (!attached && window.needs_later(bounds)).then_some(HistoryPage::After(bounds.end - 1));
        Some(Look::Window { at_end, shows_log_end: at_end && attached, moved, earlier, later })
    }

    /// The first page of a room of which nothing is loaded. `None` for an unknown room.
    pub fn first_page(&self, state: &ChatState, room_id: &str) -> Option<HistoryPage> {
        state.room(room_id)?;
        Some(self.target.map_or(HistoryPage::Newest, HistoryPage::Around))
    }

    /// The sequence number up to which the room is now read. `sees_end` is whether the end of the log is in view of a reader.
    pub fn read_up_to(&mut self, room: Option<&RoomLog>, sees_end: bool) -> Option<u64> {
        let read = room.filter(|room| {
            // While the reader may still be taken to the unread line, nothing counts as read.
            let line_may_come = opens_at_line(room) && !room.knows_first_unread();
            sees_end && self.goal.is_none() && !line_may_come
        });
        self.reads_end = read.is_some();
        read.map(RoomLog::last)
    }

    /// Places the line above the first unread message. While the reader reads, it stays; messages that arrive unseen move it.
    fn place_unread_line(&mut self, room: &RoomLog, follow: bool) {
        let was_read = self.unread_from.is_none_or(|from| from <= room.read_seq());
        let first_unread = room.first_unread().filter(|_| room.read_seq() > 0);
        let (Some(from), true, false) = (first_unread, was_read, self.reads_end) else { return };
        self.unread_from = Some(from);
        if !self.touched && self.goal.is_none() && opens_at_line(room) && follow {
            self.goal = Some(Goal::UnreadLine);
        }
    }

    /// Messages of others since the last plan.
    fn take_announcements(&mut self, room: &RoomLog) -> Vec<Message> {
        let from = self.announced.saturating_add(1).max(room.first());
        self.announced = room.last();
        (from..=room.last())
            .filter_map(|seq| room.get(seq))
            .filter(|message| matches!(message.body, Body::Text(_)) && room.is_unread_kind(message))
            .cloned()
            .collect()
    }
}

fn room_bounds(state: &ChatState, room: &RoomLog) -> Bounds {
    rows::bounds(room, state.outbox.of_room(room.id()).count())
}

/// Whether a room opens at its unread line. For a new user everything is unread, and a line at the beginning says nothing.
fn opens_at_line(room: &RoomLog) -> bool {
    room.read_seq() > 0 && room.unread() <= MAX_UNREAD_TO_LINE
}
