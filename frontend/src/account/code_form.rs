//! A recovery code that is shown once.

use leptos::prelude::*;

use crate::{copy_button::CopyButton, i18n::text, session_context::SessionContext};

/// The code, as the form of a new password: a browser offers to keep it with the name.
#[component]
pub(super) fn CodeForm(
    /// The code.
    code: String,
    /// Called when the code is put away.
    done: Callback<()>,
) -> impl IntoView {
    let session = expect_context::<SessionContext>();
    let name = session.user.get_untracked().map(|user| user.name).unwrap_or_default();
    let shown = RwSignal::new(false);
    let show = text(|m| m.show);
    let hide = text(|m| m.hide);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        done.run(());
    };
    view! {
        <form class="recovery" aria-label=text(|m| m.recovery_code) on:submit=submit>
            <p>{text(|m| m.recovery_keep)}</p>
            // Only a form with a name is kept by a password manager.
            <input
                class="visually-hidden"
                name="name"
                autocomplete="username"
                readonly
                tabindex="-1"
                aria-hidden="true"
                value=name
            />
            <div class="recovery__parts">
                <input
                    class="field__input recovery__code"
                    type=move || if shown.get() { "text" } else { "password" }
                    name="code"
                    autocomplete="new-password"
                    readonly
                    aria-label=text(|m| m.recovery_code)
                    value=code.clone()
                />
                <button type="button" class="button" on:click=move |_| shown.update(|shown| *shown = !*shown)>
                    {move || if shown.get() { hide.get() } else { show.get() }}
                </button>
                <CopyButton text=code />
                <button class="button button--primary">{text(|m| m.done)}</button>
            </div>
        </form>
    }
}
