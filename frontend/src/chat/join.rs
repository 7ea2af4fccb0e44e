//! The view without a session: joining with a new name, or taking a name back.

mod new_name;
mod recover;

use leptos::prelude::*;

use self::{new_name::NewNameForm, recover::RecoverForm};
use crate::i18n::text;

/// One of the two forms, and the way to the other.
#[component]
pub(crate) fn JoinView(
    /// Whether a session has just ended.
    session_ended: bool,
) -> impl IntoView {
    // `None` until a person has chosen: only then does the form take the focus by itself.
    let chosen = RwSignal::new(None::<bool>);
    let recovers = move || chosen.get() == Some(true);
    let other = text(|m| m.recovery_have);
    let back = text(|m| m.recovery_new_name);
    view! {
        <div class="chat-join">
            <div class="chat-join__forms">
                {move || match chosen.get() {
                    Some(true) => view! { <RecoverForm /> }.into_any(),
                    before => view! { <NewNameForm session_ended takes_focus=before.is_some() /> }.into_any(),
                }}
                <button
                    type="button"
                    class="button button--quiet"
                    on:click=move |_| chosen.set(Some(chosen.get_untracked() != Some(true)))
                >
                    {move || if recovers() { back.get() } else { other.get() }}
                </button>
            </div>
        </div>
    }
}
