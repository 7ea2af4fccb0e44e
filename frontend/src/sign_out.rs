//! The user's name and the button "Sign out".

use leptos::prelude::*;

use crate::{
    i18n::{fill, text, use_messages},
    session_context::SessionContext,
};

/// The user's name, the button, and an error after a failed attempt.
#[component]
pub(crate) fn SignOut() -> impl IntoView {
    let m = use_messages();
    let session = expect_context::<SessionContext>();
    let signed_in = Signal::derive(move || {
        let name = session.user.get().map(|user| user.name).unwrap_or_default();
        fill(m.get().signed_in_as, &[("name", &name)])
    });
    let failed = Signal::derive(move || session.sign_out_failed.get().then(|| m.get().sign_out_failed));
    view! {
        <p class="menu__person">{signed_in}</p>
        <button type="button" class="button button--quiet" on:click=move |_| session.sign_out.run(())>
            {text(|m| m.sign_out)}
        </button>
        <p class="error" role="alert">{failed}</p>
    }
}
