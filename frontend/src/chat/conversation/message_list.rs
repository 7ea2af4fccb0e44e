//! The scrolling list of messages.

use leptos::{html, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};

use super::{
    super::{
        list::{DrawnRow, ListView},
        message::RowView,
        store::{set_if_changed, use_chat},
    },
    history_edge::HistoryEdge,
};
use crate::{
    row_list::RowList,
    scoped::{differs, scoped},
};

/// The list.
#[component]
pub(super) fn MessageList(
    /// The list's state.
    list: ListView,
) -> impl IntoView {
    let chat = use_chat();
    let content = NodeRef::<html::Div>::new();
    let version = scoped(move || chat.version.get(), differs);
    Effect::new(move |_| {
        // `track` alone would not run the memo, which has to run to be told of changes.
        version.get();
        if list.scroller.get().is_some() {
            list.refresh();
        }
    });
    Effect::new(move |_| list.mark_rows());
    observe_size(list, content);
    view! {
        <div
            class="chat-log"
            role="log"
            aria-label=move || list.room_name.get()
            aria-live="off"
            tabindex=move || if list.active.with(Option::is_some) { "-1" } else { "0" }
            node_ref=list.scroller
            on:scroll=move |_| list.scrolled()
            on:mouseover=move |event| set_if_changed(list.hovered, message_at(&event))
            on:mouseleave=move |_| list.hovered.set(None)
            on:wheel=move |_| list.touched()
            on:touchmove=move |_| list.touched()
            on:pointerdown=move |_| list.touched()
            on:keydown=move |event| {
                list.touched();
                if !event.default_prevented() && list.moved_by(&event) {
                    event.prevent_default();
                }
            }
            on:focusout=move |event| list.focus_left(&event)
        >
            <div class="chat-log__rows" node_ref=content>
                <HistoryEdge loading=list.earlier loading_text=|m| m.older_loading />
                <RowList
                    each=move || list.rows.get()
                    key=|row: &DrawnRow| row.key.clone()
                    children=move |row| view! { <RowView row list /> }
                />
                <HistoryEdge loading=list.later loading_text=|m| m.messages_loading />
            </div>
        </div>
    }
}

/// The message in which an event happened, by its sequence number. A tap ends with the events of a mouse.
fn message_at(event: &web_sys::Event) -> Option<u64> {
    let element = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    element.closest("[data-seq]").ok()??.get_attribute("data-seq")?.parse().ok()
}

/// Tells the list when it or its content changes its size.
fn observe_size(list: ListView, content: NodeRef<html::Div>) {
    let measure = Closure::<dyn Fn()>::new(move || list.resized());
    let Ok(observer) = web_sys::ResizeObserver::new(measure.as_ref().unchecked_ref()) else { return };
    let observed = StoredValue::new_local((observer, measure));
    Effect::new(move |_| {
        if let (Some(scroller), Some(content)) = (list.scroller.get(), content.get()) {
            observed.with_value(|(observer, _)| {
                observer.observe(&scroller);
                observer.observe(&content);
            });
        }
    });
    on_cleanup(move || {
        observed.try_with_value(|(observer, _)| observer.disconnect());
    });
}
