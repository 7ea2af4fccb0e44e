//! The time until a waiting message is sent, while the server asks to wait.

use leptos::prelude::*;

use super::super::store::use_chat;
use crate::{
    i18n::{fill, text, use_messages},
    scoped::{differs, scoped},
};

/// A countdown for the eye, and the fact once for screen readers, which read out every change of the list.
#[component]
pub(super) fn PushbackView() -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let seconds = scoped(move || chat.pushback_seconds.get(), differs);
    let has_pushback = Memo::new(move |_| seconds.get().is_some());
    let countdown = move || {
        let seconds = seconds.get().unwrap_or_default().to_string();
        fill(m.get().waiting_pushback, &[("seconds", &seconds)])
    };
    view! {
        <Show when=move || has_pushback.get() fallback=|| ()>
            <span class="visually-hidden">{text(|m| m.waiting_pushback_spoken)}</span>
            <span class="chat-message__hold" aria-hidden="true">{countdown}</span>
        </Show>
    }
}
