//! The connection strip, and the warning that messages could not be stored.

use chat_model::connection::Strip;
use leptos::prelude::*;

use super::store::use_chat;
use crate::i18n::{fill, text, use_messages};

/// The strip. Empty while the connection works.
#[component]
pub(crate) fn ConnectionStrip() -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let sentence = move || {
        let m = m.get();
        match chat.strip.get() {
            Strip::Nothing => None,
            Strip::Connecting => Some(m.connecting.into_any()),
            Strip::Offline => Some(m.offline.into_any()),
            Strip::Reconnecting { seconds } => Some(with_number(m.reconnecting, "{seconds}", seconds)),
            Strip::CatchingUp(count) => Some(with_number(m.catching_up, "{count}", count)),
        }
    };
    let is_waiting = Memo::new(move |_| matches!(chat.strip.get(), Strip::Reconnecting { .. }));
    view! {
        <div class="chat-strip" data-shown=move || (chat.strip.get() != Strip::Nothing).then_some("")>
            <p role="status">{sentence}</p>
            <Show when=move || is_waiting.get() fallback=|| ()>
                <button type="button" class="chat-strip__button" on:click=move |_| chat.retry_now()>
                    {text(|m| m.try_now)}
                </button>
            </Show>
        </div>
        <p
            class="chat-strip chat-strip--warning"
            role="alert"
            data-shown=move || (!chat.is_outbox_stored.get()).then_some("")
        >
            {move || (!chat.is_outbox_stored.get()).then(|| m.get().outbox_not_stored)}
        </p>
    }
}

/// A sentence with a changing number, which screen readers leave out: they would read out every change.
fn with_number(template: &'static str, placeholder: &str, number: u64) -> AnyView {
    match template.split_once(placeholder) {
        Some((before, after)) => {
            view! { {before} <span aria-hidden="true">{number}</span> {after} }.into_any()
        }
        None => fill(template, &[]).into_any(),
    }
}
