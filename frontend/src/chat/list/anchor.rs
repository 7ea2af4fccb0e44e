//! Measures and scrolls the message list.

use chat_model::{
    list::InView,
    window::{Place, Scroll},
};
use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{DomRect, Element, HtmlElement};

/// Distance of a message that the reader goes to from the upper edge, as a part of the list's height.
const MESSAGE_AT: f64 = 0.33;

/// Distance of the unread line from the upper edge, in pixels: below the name of the day.
const LINE_AT: f64 = 48.0;

/// Height of a message that has to be in view to count as seen, in pixels: most of a line.
const SEEN_PX: f64 = 16.0;

/// The messages in view and their places in the window, and the focus.
pub(super) struct Anchor {
    rows: Vec<(Element, DomRect)>,
    /// The element that has the focus, when it is in the list.
    focused: Option<HtmlElement>,
    upper_edge: f64,
    lower_edge: f64,
}

impl Anchor {
    /// Notes the messages in view.
    pub(super) fn new(scroller: &HtmlElement) -> Anchor {
        let edges = scroller.get_bounding_client_rect();
        let (upper_edge, lower_edge) = (edges.top(), edges.bottom());
        let rows: Vec<Element> = messages(scroller).collect();
        let first = rows.partition_point(|row| row.get_bounding_client_rect().bottom() <= upper_edge);
        let rows = rows
            .into_iter()
            .skip(first)
            .map(|row| (row.get_bounding_client_rect(), row))
            .take_while(|(place, _)| place.top() < lower_edge)
            .map(|(place, row)| (row, place))
            .collect();
        Anchor { rows, upper_edge, lower_edge, ..Anchor::of_focus(scroller) }
    }

    /// Notes the focus, and measures nothing.
    pub(super) fn of_focus(scroller: &HtmlElement) -> Anchor {
        let focused = document().active_element().filter(|focused| scroller.contains(Some(focused)));
        let focused = focused.and_then(|focused| focused.dyn_into().ok());
        Anchor { rows: Vec::new(), focused, upper_edge: 0.0, lower_edge: 0.0 }
    }

    /// Gives the focus back to an element that lost it because its row was moved in the document.
    pub(super) fn restore_focus(&self, scroller: &HtmlElement) {
        let is_lost = document()
            .active_element()
            .is_none_or(|focused| focused.contains(Some(scroller)) && focused != **scroller);
        if let Some(focused) = self.focused.as_ref().filter(|focused| is_lost && focused.is_connected()) {
            // It took the focus before.
            focused.focus().ok();
        }
    }

    /// Scrolls by the distance that the first whole message in view has moved; by that of another one if it is gone.
    pub(super) fn restore(&self, scroller: &HtmlElement) {
        let is_cut = |(_, place): &&(Element, DomRect)| place.top() < self.upper_edge;
        let cut = self.rows.iter().take_while(is_cut).count();
        let (cut, whole) = self.rows.split_at(cut);
        if let Some((row, before)) = whole.iter().chain(cut).find(|(row, _)| row.is_connected()) {
            let moved = row.get_bounding_client_rect().top() - before.top();
            if moved != 0.0 {
                scroller.scroll_by_with_x_and_y(0.0, moved);
            }
        }
    }

    /// The stored messages that a reader sees.
    pub(super) fn in_view(&self) -> Option<InView> {
        let is_seen = |place: &DomRect| {
            place.bottom() >= self.upper_edge + SEEN_PX && place.top() <= self.lower_edge - SEEN_PX
        };
        let mut seen = self.rows.iter().filter(|(_, place)| is_seen(place)).filter_map(|(row, _)| seq(row));
        let first = seen.next()?;
        Some(InView { first, last: seen.next_back().unwrap_or(first) })
    }

    /// The place of the first whole stored message.
    pub(super) fn place(&self) -> Option<Place> {
        let offset = |place: &DomRect| place.top() - self.upper_edge;
        let whole = self.rows.iter().find(|(row, place)| offset(place) >= 0.0 && seq(row).is_some());
        let (row, place) = whole.or(self.rows.first())?;
        Some(Place { seq: seq(row)?, offset_px: offset(place) as i32 })
    }
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

/// Scrolls to a message, or the next one that has a row.
pub(super) fn show_message(scroller: &HtmlElement, wanted: u64) {
    show_at(scroller, wanted, f64::from(scroller.client_height()) * MESSAGE_AT);
}

/// Scrolls to a place.
pub(super) fn show_place(scroller: &HtmlElement, place: Place) {
    show_at(scroller, place.seq, place.offset_px.into());
}

/// Scrolls to the unread line, unless everything below it fits into the view at the end.
pub(super) fn show_unread_line(scroller: &HtmlElement) {
    show_end(scroller);
    let upper_edge = scroller.get_bounding_client_rect().top();
    if let Some(line) = scroller.query_selector(".chat-unread").ok().flatten()
        && line.get_bounding_client_rect().top() < upper_edge + LINE_AT
    {
        show(scroller, &line, LINE_AT);
    }
}

/// The rows of messages, in their order.
pub(super) fn messages(scroller: &HtmlElement) -> impl DoubleEndedIterator<Item = Element> {
    let found = scroller.query_selector_all("[data-anchor]").ok();
    let count = found.as_ref().map_or(0, web_sys::NodeList::length);
    (0..count).filter_map(move |at| found.as_ref()?.item(at)?.dyn_into().ok())
}

/// The first message from `wanted` on.
pub(super) fn message_from(scroller: &HtmlElement, wanted: u64) -> Option<Element> {
    messages(scroller).find(|row| seq(row).is_some_and(|seq| seq >= wanted))
}

/// The sequence number of a message; `None` while it is pending.
fn seq(row: &Element) -> Option<u64> {
    row.get_attribute("data-seq")?.parse().ok()
}

fn show_at(scroller: &HtmlElement, wanted: u64, at: f64) {
    match message_from(scroller, wanted) {
        Some(row) => show(scroller, &row, at),
        None => show_end(scroller),
    }
}

fn show(scroller: &HtmlElement, row: &Element, at: f64) {
    let upper_edge = scroller.get_bounding_client_rect().top();
    scroller.scroll_by_with_x_and_y(0.0, row.get_bounding_client_rect().top() - upper_edge - at);
}
