//! One row of the message list.

use leptos::prelude::*;

use super::{
    calendar::day_name,
    list::{ListView, ShownRow},
    outbox::Reason,
    rows::{Delivery, MessageRow, RowBody, RowKey},
    store::use_chat,
    text_view::text_view,
};
use crate::{
    i18n::{Messages, fill, text, use_language, use_messages},
    icon::{Icon, IconKind},
    intl::{self, Moment},
    route::Route,
};

/// A row of any kind.
#[component]
pub(crate) fn RowView(row: ShownRow, list: ListView) -> impl IntoView {
    let m = use_messages();
    let language = use_language();
    match row.key {
        RowKey::Start => view! { <StartRow row list /> }.into_any(),
        RowKey::Day(_) => {
            let name = move || match *row.body.read() {
                RowBody::Day { at_ms } => day_name(m.get(), language.get(), at_ms, list.today.get()),
                _ => String::new(),
            };
            view! { <div class="chat-day"><h2>{name}</h2></div> }.into_any()
        }
        RowKey::Unread => {
            view! { <p class="chat-unread"><span>{text(|m| m.unread_line)}</span></p> }.into_any()
        }
        RowKey::Seq(_) | RowKey::Own(_) => view! { <MessageView row list /> }.into_any(),
    }
}

#[component]
fn StartRow(row: ShownRow, list: ListView) -> impl IntoView {
    let m = use_messages();
    let language = use_language();
    let sentence = move || match &*row.body.read() {
        RowBody::Start { author, at_ms } if !author.name.is_empty() => {
            let day = intl::moment(language.get(), Moment::DayWithYear, *at_ms);
            let room = list.room_name.get();
            fill(m.get().room_start_by, &[("name", &author.name), ("room", &room), ("day", &day)])
        }
        _ => fill(m.get().room_start, &[("room", &list.room_name.get())]),
    };
    view! { <p class="chat-start">{sentence}</p> }
}

/// A message. The article holds the text and, of an own one, how far it has come; author and time
/// are its name, and what is seen of them stands beside it.
#[component]
fn MessageView(row: ShownRow, list: ListView) -> impl IntoView {
    let language = use_language();
    let body = row.body;
    let message = Signal::derive(move || match &*body.read() {
        RowBody::Message(message) => Some(message.clone()),
        _ => None,
    });
    // What the author wrote never changes, so it is read once.
    let said = message.with_untracked(|message| message.as_ref().map(|message| text_view(&message.text)));
    let part = move |part: fn(&MessageRow) -> String| {
        message.with(|message| message.as_ref().map(part).unwrap_or_default())
    };
    let at_ms =
        Memo::new(move |_| message.with(|message| message.as_ref().map_or(0, |message| message.at_ms)));
    let seq = Memo::new(move |_| message.with(|message| message.as_ref().and_then(|message| message.seq)));
    let heads_group = Memo::new(move |_| {
        message.with(|message| message.as_ref().is_some_and(|message| message.heads_group))
    });
    let delivery = Memo::new(move |_| {
        message.with(|message| message.as_ref().map_or(Delivery::Stored, |message| message.delivery.clone()))
    });
    let author = move || part(|message| message.author.name.clone());
    let time = move || intl::moment(language.get(), Moment::Time, at_ms.get());
    let label = move || [author().as_str(), ", ", &time()].concat();
    let state = move || match delivery.get() {
        Delivery::Stored => "stored",
        Delivery::Waiting => "waiting",
        Delivery::NotSent(_) => "not-sent",
    };
    let highlighted = move || seq.get().is_some_and(|seq| list.highlighted.get() == Some(seq));
    let link = move || seq.get().map(|seq| Route::Room { id: list.room_id(), seq: Some(seq) }.path());
    let moment = move || intl::moment(language.get(), Moment::Full, at_ms.get());
    let time_link = move || {
        view! {
            <a class="chat-message__time" href=link title=moment tabindex="-1">
                {time}
            </a>
        }
    };
    view! {
        <div
            class="chat-message"
            data-anchor=""
            data-head=move || heads_group.get().then_some("")
            data-state=state
            data-seq=move || seq.get()
            data-highlighted=move || highlighted().then_some("")
        >
            <div class="chat-message__head" aria-hidden="true">
                <Show when=move || heads_group.get() fallback=|| ()>
                    <span class="chat-message__author">{author}</span>
                </Show>
                {time_link}
            </div>
            <article class="chat-message__body" aria-label=label>
                {said}
                <DeliveryView message delivery />
            </article>
        </div>
    }
}

/// How far an own message has come.
#[component]
fn DeliveryView(message: Signal<Option<MessageRow>>, delivery: Memo<Delivery>) -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let operation_id = move || message.with_untracked(|message| message.as_ref()?.operation_id);
    move || match delivery.get() {
        Delivery::Stored => ().into_any(),
        Delivery::Waiting => view! {
            <span class="visually-hidden">{text(|m| m.waiting)}</span>
            <span class="chat-message__clock"><Icon kind=IconKind::Clock /></span>
            <HoldView />
        }
        .into_any(),
        Delivery::NotSent(reason) => {
            let author = message.with_untracked(|message| {
                message.as_ref().map(|message| message.author.name.clone()).unwrap_or_default()
            });
            let why = move || why(m.get(), &reason, &author);
            view! {
                <div class="chat-message__not-sent">
                    <p>
                        <strong>{text(|m| m.not_sent)}</strong>
                        " "
                        {why}
                    </p>
                    <button
                        type="button"
                        class="button"
                        on:click=move |_| operation_id().into_iter().for_each(|id| chat.try_again(id))
                    >
                        {text(|m| m.try_again)}
                    </button>
                    <button
                        type="button"
                        class="button"
                        on:click=move |_| operation_id().into_iter().for_each(|id| chat.discard(id))
                    >
                        {text(|m| m.discard)}
                    </button>
                </div>
            }
            .into_any()
        }
    }
}

/// When a waiting message goes out, while the server asks to wait.
#[component]
fn HoldView() -> impl IntoView {
    let m = use_messages();
    let held = use_chat().held;
    let is_held = Memo::new(move |_| held.get().is_some());
    let countdown = move || {
        let seconds = held.get().unwrap_or_default().to_string();
        fill(m.get().waiting_held, &[("seconds", &seconds)])
    };
    view! {
        <Show when=move || is_held.get() fallback=|| ()>
            // The log is read out when it changes: a screen reader hears the fact once, and no countdown.
            <span class="visually-hidden">{text(|m| m.waiting_held_said)}</span>
            <span class="chat-message__hold" aria-hidden="true">{countdown}</span>
        </Show>
    }
}

fn why(m: &Messages, reason: &Reason, author: &str) -> String {
    match reason {
        Reason::Refused(refusal) => {
            let reason = match refusal.message.as_str() {
                "" => crate::status::sentence(m, refusal.code),
                message => message,
            };
            fill(m.not_sent_refused, &[("reason", reason)])
        }
        Reason::TooOld => m.not_sent_too_old.to_owned(),
        Reason::OtherUser => fill(m.not_sent_other_user, &[("name", author)]),
    }
}
