//! The form "Join": choosing a new name.

use chat_model::{model::Phase, name::NameKind};
use leptos::prelude::*;

use super::super::{
    effects::identity::{self, JoinAttempt},
    name_form::{NameField, NameForm},
    store::use_chat,
};
use crate::{
    i18n::{text, use_messages},
    session_context::{SessionContext, has_signed_out},
};

/// The form.
#[component]
pub(super) fn NewNameForm() -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let session_ended = chat.phase.get_untracked() == Phase::SignedOut { session_ended: true };
    let session = expect_context::<SessionContext>();
    let form = NameForm::new(NameKind::User);
    Effect::new(move |_| form.focus());
    // The last attempt: repeating one whose answer was lost gets the same user.
    let attempt = StoredValue::new(None::<JoinAttempt>);
    let join = move |name: String| {
        let known = attempt.get_value().filter(|attempt| attempt.name() == name);
        let wanted = known.unwrap_or_else(|| JoinAttempt::new(name));
        attempt.set_value(Some(wanted.clone()));
        async move {
            let code = identity::join(chat, wanted).await?;
            session.entered(Some(code));
            Ok(())
        }
    };
    let signed_out = has_signed_out();
    let explanation = move || match (signed_out, session_ended) {
        (true, _) => m.get().signed_out,
        (false, true) => m.get().join_again,
        (false, false) => m.get().join_text,
    };
    view! {
        <form
            class="chat-join__form"
            aria-label=text(|m| m.join)
            novalidate
            on:submit=move |event| form.submit(&event, join)
        >
            <h1>{text(|m| m.join_title)}</h1>
            <p class="chat-join__text" id="join-text">{explanation}</p>
            <NameField
                form
                id="join-name"
                name="name"
                autocomplete="username"
                label=|m| m.your_name
                explanation_id="join-text"
            />
            <button class="button button--primary" aria-disabled=move || form.is_running().to_string()>
                {text(|m| m.join)}
            </button>
        </form>
    }
}
