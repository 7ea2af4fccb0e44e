//! A message.

use chat_model::rows::{Delivery, MessageRow, RowBody};
use leptos::prelude::*;

use super::{
    super::{
        list::{DrawnRow, ListView, RowContent},
        text_view::text_view,
    },
    actions::MessageActions,
    delivery_view::DeliveryView,
};
use crate::{
    face::Face,
    i18n::Language,
    intl::{self, Moment},
    route::Route,
};

/// A message. The article holds the text and the delivery state; author and time are its name, and stand beside it for the eye.
///
/// One effect follows the content: one for each attribute would take more memory and time, for changes that few messages see.
#[component]
pub(super) fn MessageView(
    /// The row.
    row: DrawnRow,
    /// Its list.
    list: ListView,
) -> impl IntoView {
    move || match row.content.get() {
        RowContent { body: RowBody::Message(message), language } => {
            Some(message_view(&row, message, language, list))
        }
        _ => None,
    }
}

fn message_view(
    row: &DrawnRow,
    message: MessageRow,
    language: Language,
    list: ListView,
) -> impl IntoView + use<> {
    let DrawnRow { key, marks, has_actions, .. } = row.clone();
    let seq = message.seq;
    let link = seq.map(|seq| Route::Room { id: list.room_id(), seq: Some(seq) }.address());
    let moment = |moment| intl::moment(language, moment, message.at_ms);
    let time = moment(Moment::Time);
    let label = [message.author.name.as_str(), ", ", &time].concat();
    let (active, highlighted) = (marks.clone(), marks.clone());
    // Tab leads into the active message only, so that the list is one stop.
    let tab_index = ArcSignal::derive(move || (!marks.get().is_active).then_some("-1"));
    let inner = tab_index.clone();
    let acted_on = message.clone();
    let actions = move || {
        let (message, tab_index) = (acted_on.clone(), inner.clone());
        has_actions.get().then(|| view! { <MessageActions message list tab_index /> })
    };
    view! {
        <div
            class="chat-message"
            data-anchor=""
            data-head=message.starts_group.then_some("")
            data-state=state(&message.delivery)
            data-seq=seq
            data-highlighted=move || highlighted.get().is_highlighted.then_some("")
            on:focusin=move |_| list.focus_entered(key.clone(), seq)
        >
            <div class="chat-message__head" aria-hidden="true">
                {message.starts_group.then(|| author_view(&message))}
                <a class="chat-message__time" href=link title=moment(Moment::Full) tabindex="-1">
                    {time}
                </a>
            </div>
            <article
                class="chat-message__body"
                aria-label=label
                tabindex=move || if active.get().is_active { "0" } else { "-1" }
            >
                {text_view(&message.text, &tab_index)}
                <DeliveryView message=message.clone() tab_index />
            </article>
            {actions}
        </div>
    }
}

/// The delivery state, for the style sheet.
fn state(delivery: &Delivery) -> &'static str {
    match delivery {
        Delivery::Stored => "stored",
        Delivery::Waiting => "waiting",
        Delivery::NotSent(_) => "not-sent",
    }
}

/// The face and the name of the author.
fn author_view(message: &MessageRow) -> impl IntoView + use<> {
    let author = &message.author;
    view! {
        <Face id=author.id.clone() name=author.name.clone() />
        <span class="chat-message__author"><bdi>{author.name.clone()}</bdi></span>
    }
}
