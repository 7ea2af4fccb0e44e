//! The form that takes a name back by its recovery code.

use chat_model::name::NameKind;
use leptos::{html, prelude::*};
use proto::chat::v1::RecoverRequest;

use super::super::{
    effects::identity,
    name_form::{NameField, NameForm},
    store::use_chat,
};
use crate::{
    i18n::{text, use_messages},
    session_context::SessionContext,
};

/// The form. Its fields are those that a password manager fills in.
#[component]
pub(super) fn RecoverForm() -> impl IntoView {
    let chat = use_chat();
    let session = expect_context::<SessionContext>();
    let form = NameForm::new(NameKind::User);
    let ends_others = NodeRef::<html::Input>::new();
    Effect::new(move |_| form.focus());
    let recover = move |name: String| {
        let request = RecoverRequest {
            name,
            recovery_code: form.code.get_untracked().map(|code| code.value()).unwrap_or_default(),
            end_other_sessions: ends_others.get_untracked().is_some_and(|input| input.checked()),
            return_token: false,
        };
        async move {
            identity::recover(chat, request).await?;
            session.entered(None);
            Ok(())
        }
    };
    view! {
        <form
            class="chat-join__form"
            aria-label=text(|m| m.recovery_title)
            novalidate
            on:submit=move |event| form.submit(&event, recover)
        >
            <h1>{text(|m| m.recovery_title)}</h1>
            <p class="chat-join__text" id="recover-text">{text(|m| m.recovery_text)}</p>
            <NameField
                form
                id="recover-name"
                name="name"
                autocomplete="username"
                label=|m| m.your_name
                explanation_id="recover-text"
            />
            <CodeField form />
            <label class="choice">
                <input type="checkbox" node_ref=ends_others />
                <span>{text(|m| m.recovery_end_others)}</span>
            </label>
            <button class="button button--primary" aria-disabled=move || form.is_running().to_string()>
                {text(|m| m.recovery_sign_in)}
            </button>
        </form>
    }
}

/// The field of the recovery code.
#[component]
fn CodeField(
    /// The form.
    form: NameForm,
) -> impl IntoView {
    let m = use_messages();
    let error = Memo::new(move |_| form.error(true, m.get()));
    view! {
        <div class="field">
            <label class="field__label" for="recover-code">{text(|m| m.recovery_code)}</label>
            <input
                class="field__input"
                id="recover-code"
                type="password"
                name="code"
                autocomplete="current-password"
                autocapitalize="characters"
                spellcheck="false"
                required
                aria-invalid=move || error.with(Option::is_some).to_string()
                aria-describedby="recover-code-error"
                node_ref=form.code
                on:input=move |_| form.forget_refusal()
            />
            <p class="field__error" id="recover-code-error" role="alert">{error}</p>
        </div>
    }
}
