//! A message.

use chat_model::rows::{Delivery, MessageRow, RowBody, RowKey};
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
    scoped::{differs, scoped},
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
    let message = Signal::derive(move || match &*body.read() {
        RowBody::Message(message) => Some(message.clone()),
        _ => None,
    });
    let seq = Memo::new(move |_| message.with(|message| message.as_ref().and_then(|message| message.seq)));
    let marks = marks(list, key.clone(), seq);
    // Tab leads into the active message only, so that the list is one stop.
    let tab_index = Signal::derive(move || (!marks.get().is_active).then_some("-1"));
    // The text never changes, so it is parsed once.
    let text =
        message.with_untracked(|message| message.as_ref().map(|message| text_view(&message.text, tab_index)));
    let delivery = Memo::new(move |_| {
        message.with(|message| message.as_ref().map_or(Delivery::Stored, |message| message.delivery.clone()))
    });
    let at_ms =
        Signal::derive(move || message.with(|message| message.as_ref().map_or(0, |message| message.at_ms)));
    let author = move || author_of(message);
    let label = move || {
        let time = intl::moment(language.get(), Moment::Time, at_ms.get());
        [author().as_str(), ", ", &time].concat()
    };
    let starts_group =
        move || message.with(|message| message.as_ref().is_some_and(|message| message.starts_group));
    let state = move || match delivery.get() {
        Delivery::Stored => "stored",
        Delivery::Waiting => "waiting",
        Delivery::NotSent(_) => "not-sent",
    };
    let has_actions = move || {
        let marks = marks.get();
        (marks.is_active || marks.is_hovered) && seq.get().is_some()
    };
    view! {
        <div
            class="chat-message"
            data-anchor=""
            data-head=move || starts_group().then_some("")
            data-state=state
            data-seq=move || seq.get()
            data-highlighted=move || marks.get().is_highlighted.then_some("")
            on:focusin=move |_| list.focus_entered(key.clone(), seq.get_untracked())
        >
            <div class="chat-message__head" aria-hidden="true">
                <Show when=starts_group fallback=|| ()>
                    {face(message)}
                    <span class="chat-message__author"><bdi>{author}</bdi></span>
                </Show>
                {time_link(list, seq, at_ms)}
            </div>
            <article
                class="chat-message__body"
                aria-label=label
                tabindex=move || if marks.get().is_active { "0" } else { "-1" }
            >
                {text}
                <DeliveryView message delivery tab_index />
            </article>
            <Show when=has_actions fallback=|| ()>
                <MessageActions message list tab_index />
            </Show>
        </div>
    }
}

/// The marks of a message in its list.
#[derive(Clone, Copy, PartialEq)]
struct Marks {
    is_active: bool,
    is_hovered: bool,
    is_highlighted: bool,
}

fn marks(list: ListView, key: RowKey, seq: Memo<Option<u64>>) -> Memo<Marks> {
    let is_own = move |of_list: RwSignal<Option<u64>>| {
        of_list.with(|seq_of_list| seq_of_list.is_some() && *seq_of_list == seq.get())
    };
    scoped(
        move || Marks {
            is_active: list.active.with(|active| active.as_ref() == Some(&key)),
            is_hovered: is_own(list.hovered),
            is_highlighted: is_own(list.highlighted),
        },
        differs,
    )
}

/// The time as a link to the message.
fn time_link(list: ListView, seq: Memo<Option<u64>>, at_ms: Signal<i64>) -> impl IntoView {
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
