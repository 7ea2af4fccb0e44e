//! The settings' part about the recovery code.

use leptos::{html, prelude::*, task::spawn_local};

use super::code_form::CodeForm;
use crate::{
    api::use_api,
    focus,
    i18n::{text, use_messages},
    status::Failure,
};

/// A button that makes a new code, and the code.
#[component]
pub(crate) fn RecoverySettings() -> impl IntoView {
    let m = use_messages();
    let api = use_api();
    let code = RwSignal::new(None::<String>);
    let failure = RwSignal::new(None::<Failure>);
    let button = NodeRef::<html::Button>::new();
    let make = move |_| {
        let api = api.clone();
        spawn_local(async move {
            // The page may have been left meanwhile.
            match api.new_recovery_code().await {
                Ok(response) => {
                    failure.try_set(None);
                    code.try_set(Some(response.recovery_code));
                    leptos::task::tick().await;
                    focus::focus(".settings .recovery__code");
                }
                Err(status) => drop(failure.try_set(Some(Failure::from(&status)))),
            }
        });
    };
    let done = Callback::new(move |()| {
        code.set(None);
        if let Some(button) = button.get_untracked() {
            button.focus().ok();
        }
    });
    view! {
        <section class="settings__part" aria-labelledby="recovery-title">
            <h2 id="recovery-title">{text(|m| m.recovery_code)}</h2>
            {move || match code.get() {
                Some(code) => view! { <CodeForm code done /> }.into_any(),
                None => view! { <p class="settings__text">{text(|m| m.recovery_about)}</p> }.into_any(),
            }}
            <button type="button" class="button" node_ref=button on:click=make>{text(|m| m.recovery_make)}</button>
            <p class="error" role="alert">
                {move || failure.get().map(|failure| failure.sentence(m.get()))}
            </p>
        </section>
    }
}
