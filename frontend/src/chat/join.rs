//! The first visit: choosing a name.

use chat_model::name::NameKind;
use leptos::prelude::*;

use super::{
    effects,
    name_form::{NameField, NameForm},
    store::use_chat,
};
use crate::i18n::{text, use_messages};

/// The form "Join".
#[component]
pub(crate) fn JoinForm(
    /// Whether a session has just ended.
    session_ended: bool,
) -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let form = NameForm::new(NameKind::User);
    view! {
        <div class="chat-join">
            <form
                class="chat-join__form"
                aria-label=text(|m| m.join)
                novalidate
                on:submit=move |event| form.submit(&event, |name| effects::join(chat, name))
            >
                <h1>{text(|m| m.join_title)}</h1>
                <p class="chat-join__text">
                    {move || if session_ended { m.get().join_again } else { m.get().join_text }}
                </p>
                <NameField
                    form
                    id="join-name"
                    name="name"
                    autocomplete="nickname"
                    autofocus=true
                    label=|m| m.your_name
                />
                <button class="button button--primary" aria-disabled=move || form.is_running().to_string()>
                    {text(|m| m.join)}
                </button>
            </form>
        </div>
    }
}
