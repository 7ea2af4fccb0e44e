//! The message list of one room between two looks at the state: its window, the unread line, the scroll goal, and the messages to
//! announce. Measuring and scrolling are the page's.

mod focused;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use self::focused::Focused;
use crate::history::HistoryPage;
use crate::message::{Body, Message};
use crate::outbox::{PendingMessage, PendingState};
use crate::room::RoomLog;
use crate::rows::{self, Row, RowBody, RowKey, Rows};
use crate::state::ChatState;
use crate::window::{Bounds, Place, Scroll, Window};

/// Unread messages up to which a room opens at the unread line. With more the line is far away, and the room opens at its end.
const MAX_UNREAD_TO_LINE: u32 = 60;

/// A place to scroll to when the rows are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The end of the list.
    End,
    /// The line above the first unread message.
    UnreadLine,
    /// A message, by its sequence number; the next one where it has no row.
    Message(u64),
    /// The reader's place at an earlier visit.
    Place(Place),
}

/// The stored messages in view, by their sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InView {
    /// The first message.
    pub first: u64,
    /// The last message.
    pub last: u64,
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
    /// Whether the message to go to does not exist.
    pub is_target_missing: bool,
    /// To be read out by screen readers.
    pub announcements: Announcements,
}

/// Changes since the last plan, to be read out by screen readers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcements {
    /// New messages of others.
    pub messages: Vec<Message>,
    /// The text of the last message that was not sent.
    pub not_sent: Option<Arc<str>>,
}

impl Announcements {
    /// Whether nothing has to be read out.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.not_sent.is_none()
    }
}

/// Consequences of the reader's scroll position.
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
    /// Entries that had the height of the view at the last look.
    of_view: u64,
    goal: Option<Goal>,
    /// A message or place to go to that is not loaded yet.
    target: Option<Goal>,
    /// The lowest sequence number below the unread line.
    unread_from: Option<u64>,
    /// Whether everything was read after the unread line was placed.
    is_line_read: bool,
    /// Whether the reader has scrolled since the room was opened.
    touched: bool,
    /// The last sequence number that was announced or needs no announcement.
    announced: u64,
    /// Messages that were not sent and need no further announcement; `None` before the first plan.
    announced_not_sent: Option<HashSet<Uuid>>,
    /// Whether the reader was reading at the last look, and had skipped nothing.
    reads: bool,
    /// The last sequence number of the browser's copy, while that is shown. What comes after it is as new as in a room that opens.
    copy_end: Option<u64>,
    /// The row that has the focus, which stays in the document.
    focused: Option<Focused>,
}

impl ListModel {
    /// A list that opens at `target`, or else at its end. Messages up to `announced` are not announced.
    pub fn new(target: Option<Goal>, announced: u64) -> ListModel {
        ListModel {
            window: None,
            of_view: 0,
            goal: None,
            target,
            unread_from: None,
            is_line_read: true,
            touched: false,
            announced,
            announced_not_sent: None,
            reads: false,
            copy_end: None,
            focused: None,
        }
    }

    /// Goes to a message, now or when it is loaded.
    pub fn go_to(&mut self, seq: u64) {
        self.target = Some(Goal::Message(seq));
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

    /// Sets the row that has the focus, with its sequence number.
    pub fn set_focused(&mut self, focused: Option<(RowKey, Option<u64>)>) {
        self.focused = focused.map(|(key, seq)| Focused::new(key, seq));
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
        let mut announcements = self.take_announcements(room, &pending);
        if self.copy_end.is_some() {
            // The page has just begun, and nobody has listened to the room yet.
            announcements.messages.clear();
        }
        let is_target_missing = self.check_target(room, bounds);
        let is_kept = state.kept_at_ms().is_some();
        let is_brought_up_to_date = self.copy_end.is_some() && !is_kept;
        self.copy_end = is_kept.then(|| self.copy_end.unwrap_or(room.last()));
        self.place_unread_line(room, follow, is_brought_up_to_date);
        let is_loading = room.loaded() == 0 && room.last() > 0;
        let has_target = self.target.is_some() && !is_target_missing;
        if is_loading || has_target && self.window.is_none() {
            self.window = None;
            return Some(Plan {
                rows: Vec::new(),
                has_earlier: false,
                has_later: true,
                is_empty: false,
                is_target_missing,
                announcements,
            });
        }
        let window = self.window.get_or_insert_with(|| Window::at_end(bounds));
        window.fit(bounds, follow, self.of_view);
        let builder = Rows { room, pending: &pending, user_id: state.user_id(), day_of };
        let mut rows = builder.of_window(*window, self.unread_from);
        let is_empty = !room.has_earlier() && !rows.iter().any(|row| matches!(row.body, RowBody::Message(_)));
        if let Some(focused) = &mut self.focused {
            focused.keep(&mut rows, &builder, *window);
        }
        Some(Plan {
            rows,
            has_earlier: room.has_earlier(),
            has_later: !room.is_attached(),
            is_empty,
            is_target_missing,
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
        let has_target = self.target.is_some_and(|target| !is_missing(target, room));
        let Some(window) = &mut self.window else {
            return self.first_page(state, room_id).map(Look::LoadFirst);
        };
        self.of_view = window.entries_of_view(scroll);
        let moved = window.follow_reader(scroll, bounds);
        let attached = room.is_attached();
        let sees_end = scroll.is_at_end() && window.end == bounds.end && attached && !has_target;
        // A reader who wants the newest messages still does at the end of a detached range.
        let at_end = sees_end || (follows_end && !attached && scroll.is_at_end());
        let earlier =
            (room.has_earlier() && window.needs_earlier(bounds)).then_some(HistoryPage::Before(bounds.first));
        let later = (!attached && window.needs_later(bounds)).then_some(HistoryPage::After(bounds.end - 1));
        Some(Look::Window { at_end, shows_log_end: at_end && attached, moved, earlier, later })
    }

    /// The page to load while the window shows nothing: of a room of which nothing is loaded, or around the target. `None` for an
    /// unknown room.
    pub fn first_page(&self, state: &ChatState, room_id: &str) -> Option<HistoryPage> {
        let room = state.room(room_id)?;
        let target = self.target.filter(|target| !is_missing(*target, room)).and_then(target_seq);
        Some(target.map_or(HistoryPage::Newest, HistoryPage::Around))
    }

    /// The sequence number up to which the room is now read: everything that is or was in view of the reader. `in_view` is `None` unless a
    /// person can see the list; `sees_end` is whether the end of the log is in view.
    pub fn read_up_to(
        &mut self,
        room: Option<&RoomLog>,
        in_view: Option<Option<InView>>,
        sees_end: bool,
    ) -> Option<u64> {
        let read = room.zip(in_view).and_then(|(room, in_view)| {
            // While the reader may still be taken to the unread line, nothing counts as read.
            let line_may_come = opens_at_line(room) && !room.knows_first_unread();
            if self.goal.is_some() || line_may_come {
                return None;
            }
            match in_view {
                Some(in_view) if room.has_unread_before(in_view.first) => None,
                _ if sees_end && (in_view.is_some() || room.unread() == 0) => Some(room.last()),
                in_view => in_view.map(|in_view| in_view.last),
            }
        });
        let read = read.map(|read| read.min(self.copy_end.unwrap_or(u64::MAX)));
        self.reads = read.is_some() && self.copy_end.is_none();
        self.is_line_read |= read.is_some() && read == room.map(RoomLog::last);
        read
    }

    /// Whether the next plan places the unread line anew.
    pub fn wants_unread_line(&self, room: &RoomLog) -> bool {
        room.unread() > 0 && (self.unread_from.is_none() || self.is_line_read) && !self.reads
    }

    /// Goes to the target when it is loaded. Returns whether it does not exist.
    fn check_target(&mut self, room: &RoomLog, bounds: Bounds) -> bool {
        let Some(target) = self.target else { return false };
        if is_missing(target, room) {
            if self.window.is_none() {
                self.goal = Some(Goal::End);
            }
            if matches!(target, Goal::Place(_)) {
                self.target = None;
            }
            return self.target.is_some();
        }
        if let Some(seq) = target_seq(target).filter(|seq| room.get(*seq).is_some()) {
            self.target = None;
            self.goal = Some(target);
            if self.window.is_none_or(|window| !window.contains(seq)) {
                self.window = Some(Window::around(seq, bounds));
            }
        }
        false
    }

    /// Places the line above the first unread message. It stays until everything was read; messages that arrive unseen then move it.
    fn place_unread_line(&mut self, room: &RoomLog, follow: bool, is_brought_up_to_date: bool) {
        self.is_line_read |= room.unread() == 0;
        let is_new = self.wants_unread_line(room);
        if is_new {
            self.unread_from = Some(room.read_seq() + 1);
            self.is_line_read = false;
        }
        // Only a room that opens goes there: a reader at the end stays at the end, however fast messages come.
        let opens = is_new && self.window.is_none() && room.loaded() > 0;
        if (opens || is_brought_up_to_date)
            && !self.touched
            && self.goal.is_none()
            && self.target.is_none()
            && opens_at_line(room)
            && follow
        {
            self.goal = Some(Goal::UnreadLine);
        }
    }

    /// Messages of others, and own ones that were not sent, since the last plan.
    fn take_announcements(&mut self, room: &RoomLog, pending: &[&PendingMessage]) -> Announcements {
        let from = self.announced.saturating_add(1).max(room.first());
        self.announced = room.last();
        let messages = (from..=room.last())
            .filter_map(|seq| room.get(seq))
            .filter(|message| matches!(message.body, Body::Text(_)) && room.is_unread_kind(message))
            .cloned()
            .collect();
        let not_sent = || pending.iter().filter(|pending| matches!(pending.state, PendingState::NotSent(_)));
        let known = self.announced_not_sent.replace(not_sent().map(|pending| pending.operation_id).collect());
        let is_new = |id: &Uuid| known.as_ref().is_some_and(|known| !known.contains(id));
        let not_sent = not_sent().rfind(|pending| is_new(&pending.operation_id));
        Announcements { messages, not_sent: not_sent.map(|pending| pending.text.clone()) }
    }
}

fn room_bounds(state: &ChatState, room: &RoomLog) -> Bounds {
    rows::bounds(room, state.outbox.of_room(room.id()).count())
}

/// The message that a target is at.
fn target_seq(target: Goal) -> Option<u64> {
    match target {
        Goal::Message(seq) | Goal::Place(Place { seq, .. }) => Some(seq),
        Goal::End | Goal::UnreadLine => None,
    }
}

fn is_missing(target: Goal, room: &RoomLog) -> bool {
    target_seq(target).is_some_and(|seq| seq == 0 || seq > room.head())
}

/// Whether a room opens at its unread line.
fn opens_at_line(room: &RoomLog) -> bool {
    (1..=MAX_UNREAD_TO_LINE).contains(&room.unread())
}
