//! What the list remembers between two looks at the state, and what it makes of one: which rows, where
//! the line stands, what is read out. It measures nothing.

use std::collections::HashMap;

use leptos::prelude::*;

use super::{
    super::{
        calendar::day_of,
        outbox::Pending,
        rows::{self, RowBody, RowKey},
        state::{Body, ChatState, Message, RoomLog},
        store::Loading,
        window::Window,
    },
    ShownRow,
};

/// With more unread messages than this a room opens at its end rather than at the line, which
/// would be far away.
const LINE_WITHIN: u32 = 60;

/// Where to scroll once the rows are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    End,
    UnreadLine,
    Message(u64),
}

/// What the list remembers.
pub(super) struct Model {
    pub(super) window: Option<Window>,
    pub(super) shown: HashMap<RowKey, ArcRwSignal<RowBody>>,
    pub(super) goal: Option<Goal>,
    /// A message that was asked for and is not loaded yet.
    pub(super) target: Option<u64>,
    pub(super) unread_from: Option<u64>,
    /// Whether the reader has moved by themselves since the room was opened.
    pub(super) touched: bool,
    /// Everything up to here was read out or was there before.
    pub(super) announced: u64,
    /// Whether the last look found somebody who reads the end.
    pub(super) reading: bool,
    /// Where the list begins on the screen.
    pub(super) top: f64,
    /// How high the list and its rows were when they were looked at last.
    pub(super) heights: (f64, f64),
    /// Where the reader was then.
    pub(super) scrolled_to: f64,
}

/// What a look at the state gives for the page.
pub(super) struct Plan {
    pub(super) rows: Vec<rows::Row>,
    pub(super) earlier: Option<Loading>,
    pub(super) later: Option<Loading>,
    pub(super) is_empty: bool,
    pub(super) heard: Vec<Message>,
}

impl Model {
    /// Of a list that is about to be opened, at a message or at its end. Everything up to `announced`
    /// counts as read out.
    pub(super) fn new(target: Option<u64>, announced: u64) -> Model {
        Model {
            window: None,
            shown: HashMap::new(),
            goal: None,
            target,
            unread_from: None,
            touched: false,
            announced,
            reading: false,
            top: 0.0,
            heights: (0.0, 0.0),
            scrolled_to: 0.0,
        }
    }

    /// What to show, given the state and whether the reader follows the end.
    pub(super) fn plan(&mut self, state: &ChatState, room_id: &str, follow: bool) -> Option<Plan> {
        let room = state.room(room_id)?;
        let pending: Vec<&Pending> = state.outbox.of_room(room_id).collect();
        let bounds = rows::bounds(room, pending.len());
        let heard = self.hear(room);
        if let Some(seq) = self.target.filter(|seq| room.get(*seq).is_some()) {
            self.target = None;
            self.goal = Some(Goal::Message(seq));
            if self.window.is_none_or(|window| !window.contains(seq)) {
                self.window = Some(Window::around(seq, bounds));
            }
        }
        self.place_line(room, follow);
        let nothing_yet = room.loaded() == 0 && room.last() > 0;
        if nothing_yet || self.target.is_some() && self.window.is_none() {
            self.window = None;
            return Some(Plan {
                rows: Vec::new(),
                earlier: None,
                later: Some(Loading::Idle),
                is_empty: false,
                heard,
            });
        }
        let window = self.window.get_or_insert_with(|| Window::at_end(bounds));
        window.fit(bounds, follow);
        let rows = rows::build(room, &pending, *window, self.unread_from, state.me(), &day_of);
        let is_empty = !room.has_earlier() && !rows.iter().any(|row| matches!(row.body, RowBody::Message(_)));
        let earlier = room.has_earlier().then_some(Loading::Idle);
        let later = (!room.is_attached()).then_some(Loading::Idle);
        Some(Plan { rows, earlier, later, is_empty, heard })
    }

    /// The line stays where it is while somebody reads. It is drawn anew above what arrives unseen.
    fn place_line(&mut self, room: &RoomLog, follow: bool) {
        let seen = self.unread_from.is_none_or(|from| from <= room.read_seq());
        let first_unread = room.first_unread().filter(|_| room.read_seq() > 0);
        let (Some(from), true, false) = (first_unread, seen, self.reading) else { return };
        self.unread_from = Some(from);
        if !self.touched && self.goal.is_none() && wants_line(room) && follow {
            self.goal = Some(Goal::UnreadLine);
        }
    }

    /// What others have written since the last look.
    fn hear(&mut self, room: &RoomLog) -> Vec<Message> {
        let from = self.announced.saturating_add(1).max(room.first());
        self.announced = room.last();
        (from..=room.last())
            .filter_map(|seq| room.get(seq))
            .filter(|message| matches!(message.body, Body::Text(_)) && room.is_unread_kind(message))
            .cloned()
            .collect()
    }

    /// Whether these rows are what is in the page.
    pub(super) fn shows(&self, rows: &[rows::Row]) -> bool {
        rows.len() == self.shown.len()
            && rows
                .iter()
                .all(|row| self.shown.get(&row.key).is_some_and(|body| *body.read_untracked() == row.body))
    }

    /// Gives every row the signal that it has, and what it shows to the signal.
    pub(super) fn show(&mut self, rows: Vec<rows::Row>) -> Vec<ShownRow> {
        let mut shown = HashMap::with_capacity(rows.len());
        let rows = rows
            .into_iter()
            .map(|row| {
                let body = match self.shown.remove(&row.key) {
                    Some(body) => {
                        if *body.read_untracked() != row.body {
                            body.set(row.body);
                        }
                        body
                    }
                    None => ArcRwSignal::new(row.body),
                };
                shown.insert(row.key.clone(), body.clone());
                ShownRow { key: row.key, body }
            })
            .collect();
        self.shown = shown;
        rows
    }
}

/// Whether a room opens at the line. For somebody who is new everything is unread, and a line at the
/// very beginning says nothing.
pub(super) fn wants_line(room: &RoomLog) -> bool {
    room.read_seq() > 0 && room.unread() <= LINE_WITHIN
}
