//! The view without a session: joining with a new name, or taking a name back.

mod new_name;
mod recover;

use leptos::prelude::*;

use self::{new_name::NewNameForm, recover::RecoverForm};
use crate::{
    chunk::{ShowPart, part},
    i18n::text,
};

part!(RECOVER, dialogs: view! { <RecoverForm /> });

/// One of the two forms, and the way to the other.
#[component]
pub(crate) fn JoinView(
    /// Whether a session has just ended.
    session_ended: bool,
) -> impl IntoView {
    let recovers = RwSignal::new(false);
    let to_recover = text(|m| m.recovery_have);
    let to_join = text(|m| m.recovery_new_name);
    view! {
        <div class="chat-join">
            <div class="chat-join__forms">
                {move || match recovers.get() {
                    true => view! { <ShowPart part=RECOVER /> }.into_any(),
                    false => view! { <NewNameForm session_ended /> }.into_any(),
                }}
                <button
                    type="button"
                    class="button button--quiet"
                    on:click=move |_| recovers.update(|recovers| *recovers = !*recovers)
                >
                    {move || if recovers.get() { to_join.get() } else { to_recover.get() }}
                </button>
            </div>
        </div>
    }
}
