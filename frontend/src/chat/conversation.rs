//! One room: its messages, the way to the newest, and the composer.

use leptos::{html, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};

use super::{
    composer::Composer,
    list::{ListView, ShownRow},
    message::RowView,
    state::{Body, Message},
    store::{Loading, use_chat},
    strip::ConnectionStrip,
};
use crate::{
    i18n::{fill, text, use_messages},
    icon::{Icon, IconKind},
    route::{Route, navigate},
};

/// A room.
#[component]
pub(crate) fn Conversation(
    /// The room's id.
    room_id: String,
    /// The room's name.
    name: Signal<String>,
    /// A message of the address, to be shown and marked.
    target: Signal<Option<u64>>,
    /// Called by the button that leads to the rooms where both have no place side by side.
    back: Callback<()>,
) -> impl IntoView {
    let chat = use_chat();
    let list = ListView::new(chat, room_id.clone(), name, target.get_untracked());
    Effect::new(move |previous: Option<Option<u64>>| {
        let target = target.get();
        if let Some(seq) = target.filter(|_| previous.is_some_and(|previous| previous != target)) {
            list.go_to(seq);
        }
        target
    });
    let at = room_id.clone();
    let to_end = Callback::new(move |()| {
        // The address names no message any more.
        if target.get_untracked().is_some() {
            navigate(&Route::Room { id: at.clone(), seq: None }, true);
        }
        list.go_to_end();
    });
    view! {
        <section class="chat-room" aria-label=move || name.get()>
            <header class="chat-room__head">
                <button
                    type="button"
                    class="button button--icon"
                    aria-label=text(|m| m.back_to_rooms)
                    on:click=move |_| back.run(())
                >
                    <Icon kind=IconKind::Back />
                </button>
                <h1>{move || name.get()}</h1>
            </header>
            <ConnectionStrip />
            <div class="chat-room__list">
                <MessageList list />
                <JumpToLatest list to_end />
            </div>
            <Composer room_id room_name=name written=to_end />
            <Announcer list />
        </section>
    }
}

#[component]
fn MessageList(list: ListView) -> impl IntoView {
    let chat = use_chat();
    let content = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        chat.version.track();
        if list.scroller.get().is_some() {
            list.refresh();
        }
    });
    watch_size(list, content);
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
                    key=|row: &ShownRow| row.key.clone()
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

/// Where the loaded messages end and there are more.
#[component]
fn HistoryEdge(loading: RwSignal<Option<Loading>>) -> impl IntoView {
    let chat = use_chat();
    move || {
        loading.get().map(|loading| match loading {
            Loading::Idle | Loading::Running => {
                view! { <p class="chat-edge">{text(|m| m.older_loading)}</p> }.into_any()
            }
            Loading::Failed => view! {
                <p class="chat-edge">
                    {text(|m| m.history_failed)}
                    <button type="button" class="button" on:click=move |_| chat.forget_failed_loads()>
                        {text(|m| m.try_again)}
                    </button>
                </p>
            }
            .into_any(),
        })
    }
}

#[component]
fn JumpToLatest(list: ListView, to_end: Callback<()>) -> impl IntoView {
    let m = use_messages();
    let label = move || {
        let m = m.get();
        match list.below.get() {
            0 => m.jump_to_latest.to_owned(),
            count => {
                let count = count.to_string();
                fill(m.jump_to_latest_count, &[("label", m.jump_to_latest), ("count", &count)])
            }
        }
    };
    view! {
        <Show when=move || !list.at_end.get() fallback=|| ()>
            <button type="button" class="button chat-jump" on:click=move |_| to_end.run(())>
                <Icon kind=IconKind::Down />
                {label}
            </button>
        </Show>
    }
}

/// Reads new messages out, once, author first. The list itself is silent: it moves rows about that
/// were read out before.
#[component]
fn Announcer(list: ListView) -> impl IntoView {
    let m = use_messages();
    let times = StoredValue::new(false);
    let sentence = move || {
        let mut sentence = list.heard.with(|heard| match heard.as_slice() {
            [] => String::new(),
            [.., last] => {
                let count = heard.len().to_string();
                let template = if heard.len() == 1 { m.get().arrived } else { m.get().arrived_many };
                fill(template, &[("author", &last.author.name), ("text", said(last)), ("count", &count)])
            }
        });
        // The same words twice would be no change, and not be read out again.
        if times.try_update_value(|times| std::mem::replace(times, !*times)) == Some(true) {
            sentence.push('\u{a0}');
        }
        sentence
    };
    view! {
        <p class="visually-hidden" aria-live="polite" data-announcer="">
            {sentence}
        </p>
    }
}

fn said(message: &Message) -> &str {
    match &message.body {
        Body::Text(text) => text,
        Body::Created | Body::Unknown => "",
    }
}

/// Follows the size of the list and of what is in it.
fn watch_size(list: ListView, content: NodeRef<html::Div>) {
    let measure = Closure::<dyn Fn()>::new(move || list.resized());
    let Ok(observer) = web_sys::ResizeObserver::new(measure.as_ref().unchecked_ref()) else { return };
    let watched = StoredValue::new_local((observer, measure));
    Effect::new(move |_| {
        if let (Some(scroller), Some(content)) = (list.scroller.get(), content.get()) {
            watched.with_value(|(observer, _)| {
                observer.observe(&scroller);
                observer.observe(&content);
            });
        }
    });
    on_cleanup(move || {
        watched.try_with_value(|(observer, _)| observer.disconnect());
    });
}
