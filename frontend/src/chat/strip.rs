//! The strip that says how the connection is, and "Try now".

use leptos::prelude::*;

use super::{connection::Strip, store::use_chat};
use crate::i18n::{fill, text, use_messages};

/// The strip. Empty while all is well.
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
            Strip::Reconnecting { seconds } => Some(counting(m.reconnecting, "{seconds}", seconds)),
            Strip::CatchingUp(count) => Some(counting(m.catching_up, "{count}", count)),
        }
    };
    let waits = Memo::new(move |_| matches!(chat.strip.get(), Strip::Reconnecting { .. }));
    view! {
        <div class="chat-strip" data-shown=move || (chat.strip.get() != Strip::Nothing).then_some("")>
            <p role="status">{sentence}</p>
            <Show when=move || waits.get() fallback=|| ()>
                <button type="button" class="chat-strip__button" on:click=move |_| chat.retry_now()>
                    {text(|m| m.try_now)}
                </button>
            </Show>
        </div>
        <p class="chat-strip chat-strip--warning" role="alert" data-shown=move || (!chat.kept.get()).then_some("")>
            {move || (!chat.kept.get()).then(|| m.get().not_kept)}
        </p>
    }
}

/// A sentence with a number that counts. Who listens hears the sentence and not every number.
fn counting(template: &'static str, placeholder: &str, number: u64) -> AnyView {
    match template.split_once(placeholder) {
        Some((before, after)) => {
            view! { {before} <span aria-hidden="true">{number}</span> {after} }.into_any()
        }
        None => fill(template, &[]).into_any(),
    }
}
