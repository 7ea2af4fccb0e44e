//! The first visit: choosing a name.

use leptos::{ev, html, prelude::*, task::spawn_local};
use proto::chat::v1 as pb;

use super::{
    naming::{Refused, Subject},
    store::use_chat,
};
use crate::{
    api::use_api,
    i18n::{text, use_messages},
};

/// The form "Join".
#[component]
pub(crate) fn JoinForm(
    /// Whether somebody was signed in until now.
    ended: bool,
) -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let api = use_api();
    let field = NodeRef::<html::Input>::new();
    let refused = RwSignal::new(None::<Refused>);
    let running = RwSignal::new(false);
    let refuse = move |why: Refused| {
        refused.set(Some(why));
        if let Some(field) = field.get_untracked() {
            // A field in the page takes the focus.
            field.focus().ok();
        }
    };
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let name = field.get_untracked().map(|field| field.value()).unwrap_or_default();
        if running.get_untracked() {
            return;
        }
        if let Some(why) = Refused::before_asking(Subject::Person, &name) {
            return refuse(why);
        }
        running.set(true);
        refused.set(None);
        let api = api.clone();
        spawn_local(async move {
            let answer = api.join(pb::JoinRequest { name, return_token: false }).await;
            running.set(false);
            match answer {
                Ok(answer) => chat.enter(answer.user.unwrap_or_default()),
                Err(status) => refuse(Refused::by_server(&status)),
            }
        });
    };
    let invalid = move || refused.get().is_some().to_string();
    view! {
        <div class="chat-join">
            <form class="chat-join__form" aria-label=text(|m| m.join) novalidate on:submit=submit>
                <h1>{text(|m| m.join_title)}</h1>
                <p class="chat-join__text">
                    {move || if ended { m.get().join_again } else { m.get().join_text }}
                </p>
                <div class="field">
                    <label class="field__label" for="join-name">{text(|m| m.your_name)}</label>
                    <input
                        class="field__input"
                        id="join-name"
                        name="name"
                        autocomplete="nickname"
                        autofocus
                        spellcheck="false"
                        required
                        aria-invalid=invalid
                        aria-describedby="join-error"
                        node_ref=field
                        on:input=move |_| refused.set(None)
                    />
                    <p class="field__error" id="join-error" role="alert">
                        {move || refused.get().map(|refused| refused.sentence(Subject::Person, m.get()))}
                    </p>
                </div>
                <button class="button button--primary" aria-disabled=move || running.get().to_string()>
                    {text(|m| m.join)}
                </button>
            </form>
        </div>
    }
}
