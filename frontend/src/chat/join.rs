//! The view without a session: joining with a new name, or taking a name back.

mod new_name;
mod recover;

use leptos::{prelude::*, task::spawn_local};

use self::{new_name::NewNameForm, recover::RecoverForm};
use super::outline::LAST_ROOM_KEY;
use crate::{
    chunk::{ShowPart, part},
    i18n::text,
    storage,
};

// A person who comes back with a session does not need it.
part!(JOIN, join: view! { <JoinView /> });
part!(RECOVER, dialogs: view! { <RecoverForm /> });

/// Loads the forms beside the question for the session, where a person has probably none.
pub(super) fn preload_for_newcomers() {
    if storage::get(LAST_ROOM_KEY).is_none() {
        spawn_local(async {
            // It is tried again when the form is shown.
            JOIN.load().await.ok();
        });
    }
}

/// One of the two forms, and the way to the other.
#[component]
fn JoinView() -> impl IntoView {
    let recovers = RwSignal::new(false);
    let to_recover = text(|m| m.recovery_have);
    let to_join = text(|m| m.recovery_new_name);
    view! {
        <div class="chat-join">
            <div class="chat-join__forms">
                {move || match recovers.get() {
                    true => view! { <ShowPart part=RECOVER /> }.into_any(),
                    false => view! { <NewNameForm /> }.into_any(),
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
