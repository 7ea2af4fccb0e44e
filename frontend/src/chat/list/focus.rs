//! The focus in the message list: the list is one tab stop, and keys move between its messages.

use chat_model::rows::RowKey;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::{ListView, anchor};

/// A message that a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FocusGoal {
    /// The first message of the room.
    First,
    /// The last one.
    Last,
}

impl ListView {
    /// A message has got the focus, or a part of it has.
    pub(crate) fn focus_entered(self, key: RowKey, seq: Option<u64>) {
        self.model.update_value(|model| model.set_focused(Some((key.clone(), seq))));
        self.active.set(Some(key));
    }

    /// The focus has left the list. The message stays the one that Tab returns to while it is in the document.
    pub(crate) fn focus_left(self, event: &ev::FocusEvent) {
        let Some(scroller) = self.scroller.try_get_untracked().flatten() else { return };
        let to = event.related_target().and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        // Without a target the focus left the window, or its element is being removed.
        if to.is_some_and(|to| !scroller.contains(Some(&to))) {
            self.model.update_value(|model| model.set_focused(None));
        }
    }

    /// Moves the focus between messages by a key. Returns whether the key does so.
    pub(crate) fn moved_by(self, event: &ev::KeyboardEvent) -> bool {
        let modified = event.shift_key() || event.alt_key() || event.ctrl_key() || event.meta_key();
        let Some(scroller) = self.scroller.get_untracked().filter(|_| !modified) else { return false };
        match event.key().as_str() {
            "ArrowUp" => self.step(&scroller, |_, at| at.checked_sub(1)),
            "ArrowDown" => self.step(&scroller, |_, at| Some(at + 1)),
            "PageUp" => self.step(&scroller, |rows, at| {
                let limit = top(&rows[at]) - f64::from(scroller.client_height());
                (0..at).find(|to| top(&rows[*to]) >= limit)
            }),
            "PageDown" => self.step(&scroller, |rows, at| {
                let limit = top(&rows[at]) + f64::from(scroller.client_height());
                (at + 1..rows.len()).rfind(|to| top(&rows[*to]) <= limit).or(Some(at + 1))
            }),
            "Home" => {
                self.focus_goal.set_value(Some(FocusGoal::First));
                self.highlighted.set(None);
                self.to_message(1);
            }
            "End" => {
                self.focus_goal.set_value(Some(FocusGoal::Last));
                self.go_to_end();
            }
            _ => return false,
        }
        true
    }

    /// Focuses the list itself.
    pub(crate) fn focus(self) {
        if let Some(scroller) = self.scroller.get_untracked() {
            // An element with a tab index takes the focus.
            scroller.focus().ok();
        }
    }

    /// Focuses the message that a key asked for, once its row is drawn.
    pub(super) fn reach_focus_goal(self, scroller: &HtmlElement) {
        let row = match self.focus_goal.try_update_value(Option::take).flatten() {
            Some(FocusGoal::First) => anchor::messages(scroller).next(),
            Some(FocusGoal::Last) => anchor::messages(scroller).next_back(),
            None => None,
        };
        row.iter().for_each(focus_message);
    }

    /// Keeps the list reachable: without an active message the list itself is the tab stop.
    pub(super) fn check_active(self) {
        let is_drawn = |key: &RowKey| self.rows.with_untracked(|rows| rows.iter().any(|row| row.key == *key));
        if self.active.with_untracked(|active| active.as_ref().is_some_and(|key| !is_drawn(key))) {
            self.active.set(None);
        }
    }

    /// Focuses the message at the index that `to` gives for the current one. Without a current one, the first or last message in view.
    fn step(self, scroller: &HtmlElement, to: impl FnOnce(&[Element], usize) -> Option<usize>) {
        let rows: Vec<Element> = anchor::messages(scroller).collect();
        let focused = document().active_element();
        let current = rows.iter().position(|row| row.contains(focused.as_deref()));
        let next = match current {
            Some(at) => to(&rows, at),
            None => last_in_view(&rows, scroller),
        };
        next.and_then(|at| rows.get(at)).into_iter().for_each(focus_message);
    }
}

/// The last message that begins in view.
fn last_in_view(rows: &[Element], scroller: &HtmlElement) -> Option<usize> {
    let lower_edge = scroller.get_bounding_client_rect().bottom();
    rows.iter().rposition(|row| top(row) < lower_edge)
}

fn top(row: &Element) -> f64 {
    row.get_bounding_client_rect().top()
}

fn focus_message(row: &Element) {
    let article = row.query_selector("article").ok().flatten();
    if let Some(article) = article.and_then(|article| article.dyn_into::<HtmlElement>().ok()) {
        // An element with a tab index takes the focus.
        article.focus().ok();
    }
}
