//! Measuring and scrolling the message list.

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::super::window::Scroll;

/// Rows noted; one of them is still there unless the list was replaced.
const NOTED: usize = 12;

/// How far below the list's upper edge a message is put that was asked for, as a part of its height.
const MESSAGE_AT: f64 = 0.33;

/// How far below the list's upper edge the line is put where unread begins: under a day's name.
const LINE_AT: f64 = 48.0;

/// Where some of the rows in view are.
pub(super) struct Anchor {
    rows: Vec<(Element, f64)>,
}

impl Anchor {
    /// Notes the first rows in view.
    pub(super) fn note(scroller: &HtmlElement) -> Anchor {
        let upper_edge = top(scroller);
        let rows = messages(scroller)
            .map(|row| (row.get_bounding_client_rect(), row))
            .filter(|(place, _)| place.bottom() > upper_edge)
            .take(NOTED)
            .map(|(place, row)| (row, place.top()))
            .collect();
        Anchor { rows }
    }

    /// Scrolls by as much as the first of them that is left has moved.
    pub(super) fn restore(&self, scroller: &HtmlElement) {
        if let Some((row, before)) = self.rows.iter().find(|(row, _)| row.is_connected()) {
            let moved = row.get_bounding_client_rect().top() - before;
            if moved != 0.0 {
                scroller.scroll_by_with_x_and_y(0.0, moved);
            }
        }
    }
}

/// Where the list begins on the screen.
pub(super) fn top(scroller: &HtmlElement) -> f64 {
    scroller.get_bounding_client_rect().top()
}

/// How far it is scrolled.
pub(super) fn scroll(scroller: &HtmlElement) -> Scroll {
    Scroll {
        top: scroller.scroll_top().into(),
        view: scroller.client_height().into(),
        content: scroller.scroll_height().into(),
    }
}

/// Shows the last row.
pub(super) fn show_end(scroller: &HtmlElement) {
    scroller.set_scroll_top(scroller.scroll_height());
}

/// Shows a message.
pub(super) fn show_message(scroller: &HtmlElement, seq: u64) {
    let selector = ["[data-seq=\"", &seq.to_string(), "\"]"].concat();
    show(scroller, &selector, f64::from(scroller.client_height()) * MESSAGE_AT);
}

/// Shows the line where unread begins, unless everything below it is in view anyway.
pub(super) fn show_unread_line(scroller: &HtmlElement) {
    show_end(scroller);
    if let Some(line) = scroller.query_selector(".chat-unread").ok().flatten()
        && line.get_bounding_client_rect().top() < top(scroller) + LINE_AT
    {
        show(scroller, ".chat-unread", LINE_AT);
    }
}

fn show(scroller: &HtmlElement, selector: &str, at: f64) {
    if let Some(row) = scroller.query_selector(selector).ok().flatten() {
        let away = row.get_bounding_client_rect().top() - top(scroller) - at;
        scroller.scroll_by_with_x_and_y(0.0, away);
    }
}

fn messages(scroller: &HtmlElement) -> impl Iterator<Item = Element> {
    let found = scroller.query_selector_all("[data-anchor]").ok();
    let count = found.as_ref().map_or(0, web_sys::NodeList::length);
    (0..count).filter_map(move |at| found.as_ref()?.item(at)?.dyn_into().ok())
}
