//! A message.

use chat_model::rows::{Delivery, MessageRow, RowBody};
use leptos::prelude::*;

use super::{
    super::{
        list::{DrawnRow, ListView},
        text_view::text_view,
    },
    actions::MessageActions,
    delivery_view::DeliveryView,
};
use crate::{
    face::Face,
    i18n::use_language,
    intl::{self, Moment},
    route::Route,
};

/// A message. The article holds the text and the delivery state; author and time are its name, and stand beside it for the eye.
#[component]
pub(super) fn MessageView(
    /// The row.
    row: DrawnRow,
    /// Its list.
    list: ListView,
) -> impl IntoView {
    let language = use_language();
    let (key, body) = (row.key, row.body);
    let active_key = key.clone();
    let is_active = Memo::new(move |_| {
        list.active.with(|active| active.as_ref().is_some_and(|active| *active == active_key))
    });
    // Tab leads into the active message only, so that the list is one stop.
    let tab_index = Signal::derive(move || (!is_active.get()).then_some("-1"));
    let message = Signal::derive(move || match &*body.read() {
        RowBody::Message(message) => Some(message.clone()),
        _ => None,
    });
    // The text never changes, so it is parsed once.
    let text =
        message.with_untracked(|message| message.as_ref().map(|message| text_view(&message.text, tab_index)));
    let delivery = Memo::new(move |_| {
        message.with(|message| message.as_ref().map_or(Delivery::Stored, |message| message.delivery.clone()))
    });
    let at_ms =
        Memo::new(move |_| message.with(|message| message.as_ref().map_or(0, |message| message.at_ms)));
    let author = move || author_of(message);
    let label = move || {
        let time = intl::moment(language.get(), Moment::Time, at_ms.get());
        [author().as_str(), ", ", &time].concat()
    };
    let seq = Memo::new(move |_| message.with(|message| message.as_ref().and_then(|message| message.seq)));
    let starts_group = Memo::new(move |_| {
        message.with(|message| message.as_ref().is_some_and(|message| message.starts_group))
    });
    let state = move || match delivery.get() {
        Delivery::Stored => "stored",
        Delivery::Waiting => "waiting",
        Delivery::NotSent(_) => "not-sent",
    };
    let has_actions =
        Memo::new(move |_| seq.get().is_some() && (is_active.get() || list.hovered.get() == seq.get()));
    let is_highlighted = move || seq.get().is_some_and(|seq| list.highlighted.get() == Some(seq));
    view! {
        <div
            class="chat-message"
            data-anchor=""
            data-head=move || starts_group.get().then_some("")
            data-state=state
            data-seq=move || seq.get()
            data-highlighted=move || is_highlighted().then_some("")
            on:focusin=move |_| list.focus_entered(key.clone(), seq.get_untracked())
        >
            <div class="chat-message__head" aria-hidden="true">
                <Show when=move || starts_group.get() fallback=|| ()>
                    {face(message)}
                    <span class="chat-message__author"><bdi>{author}</bdi></span>
                </Show>
                {time_link(list, seq, at_ms)}
            </div>
            <article
                class="chat-message__body"
                aria-label=label
                tabindex=move || if is_active.get() { "0" } else { "-1" }
            >
                {text}
                <DeliveryView message delivery tab_index />
            </article>
            <Show when=move || has_actions.get() fallback=|| ()>
                <MessageActions message list tab_index />
            </Show>
        </div>
    }
}

/// The time as a link to the message.
fn time_link(list: ListView, seq: Memo<Option<u64>>, at_ms: Memo<i64>) -> impl IntoView {
    let language = use_language();
    let link = move || seq.get().map(|seq| Route::Room { id: list.room_id(), seq: Some(seq) }.address());
    let moment = move || intl::moment(language.get(), Moment::Full, at_ms.get());
    let time = move || intl::moment(language.get(), Moment::Time, at_ms.get());
    view! {
        <a class="chat-message__time" href=link title=moment tabindex="-1">
            {time}
        </a>
    }
}

fn face(message: Signal<Option<MessageRow>>) -> impl IntoView {
    let author = message.with_untracked(|message| message.as_ref().map(|message| message.author.clone()));
    author.map(|author| view! { <Face id=author.id.clone() name=author.name.clone() /> })
}

fn author_of(message: Signal<Option<MessageRow>>) -> String {
    message.with(|message| message.as_ref().map(|message| message.author.name.clone()).unwrap_or_default())
}
