//! The scrolling list of messages.

use leptos::{html, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};

use super::{
    super::{
        list::{DrawnRow, ListView},
        message::RowView,
        store::use_chat,
    },
    history_edge::HistoryEdge,
};
use crate::i18n::text;

/// The list.
#[component]
pub(super) fn MessageList(
    /// The list's state.
    list: ListView,
) -> impl IntoView {
    let chat = use_chat();
    let content = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        chat.version.track();
        if list.scroller.get().is_some() {
            list.refresh();
        }
    });
    observe_size(list, content);
    view! {
        <div
            class="chat-log"
            role="log"
            aria-label=move || list.room_name.get()
            aria-live="off"
            tabindex="0"
            node_ref=list.scroller
            on:scroll=move |_| list.scrolled()
            on:wheel=move |_| list.touched()
            on:touchmove=move |_| list.touched()
            on:pointerdown=move |_| list.touched()
            on:keydown=move |_| list.touched()
        >
            <div class="chat-log__rows" node_ref=content>
                <HistoryEdge loading=list.earlier />
                <For
                    each=move || list.rows.get()
                    key=|row: &DrawnRow| row.key.clone()
                    children=move |row| view! { <RowView row list /> }
                />
                <Show when=move || list.is_empty.get() fallback=|| ()>
                    <p class="chat-start">{text(|m| m.room_empty)}</p>
                </Show>
                <HistoryEdge loading=list.later />
            </div>
        </div>
    }
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
