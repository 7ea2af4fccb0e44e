//! Measures and scrolls the message list.

use chat_model::window::Scroll;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// Rows whose places are noted. One of them is still there unless the list was replaced.
const NOTED: usize = 12;

/// Distance of a message that the reader goes to from the upper edge, as a part of the list's height.
const MESSAGE_AT: f64 = 0.33;

/// Distance of the unread line from the upper edge, in pixels: below the name of the day.
const LINE_AT: f64 = 48.0;

/// The places of some rows in view.
pub(super) struct Anchor {
    rows: Vec<(Element, f64)>,
}

impl Anchor {
    /// Notes the places of the first rows in view.
    pub(super) fn new(scroller: &HtmlElement) -> Anchor {
        let upper_edge = top(scroller);
        let rows = messages(scroller)
            .map(|row| (row.get_bounding_client_rect(), row))
            .filter(|(place, _)| place.bottom() > upper_edge)
            .take(NOTED)
            .map(|(place, row)| (row, place.top()))
            .collect();
        Anchor { rows }
    }

    /// Scrolls by the distance that the first remaining row has moved.
    pub(super) fn restore(&self, scroller: &HtmlElement) {
        if let Some((row, before)) = self.rows.iter().find(|(row, _)| row.is_connected()) {
            let moved = row.get_bounding_client_rect().top() - before;
            if moved != 0.0 {
                scroller.scroll_by_with_x_and_y(0.0, moved);
            }
        }
    }
}

/// The upper edge of the list in the window.
pub(super) fn top(scroller: &HtmlElement) -> f64 {
    scroller.get_bounding_client_rect().top()
}

/// The scroll position of the list.
pub(super) fn scroll(scroller: &HtmlElement) -> Scroll {
    Scroll {
        top: scroller.scroll_top().into(),
        view: scroller.client_height().into(),
        content: scroller.scroll_height().into(),
    }
}

/// Scrolls to the last row.
pub(super) fn show_end(scroller: &HtmlElement) {
    scroller.set_scroll_top(scroller.scroll_height());
}

/// Scrolls to a message.
pub(super) fn show_message(scroller: &HtmlElement, seq: u64) {
    let selector = ["[data-seq=\"", &seq.to_string(), "\"]"].concat();
    show(scroller, &selector, f64::from(scroller.client_height()) * MESSAGE_AT);
}

/// Scrolls to the unread line, unless everything below it fits into the view at the end.
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
