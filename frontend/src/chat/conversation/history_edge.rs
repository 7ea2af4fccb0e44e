//! The end of the loaded messages, when there are more.

use chat_model::history::Loading;
use leptos::prelude::*;

use super::super::store::use_chat;
use crate::i18n::{Text, text};

/// A line that says that messages are loading, or could not be loaded. Its height is reserved, so that nothing jumps.
#[component]
pub(super) fn HistoryEdge(
    /// The state of loading; `None` where the log ends.
    loading: RwSignal<Option<Loading>>,
    /// The text while messages are loading.
    loading_text: Text,
) -> impl IntoView {
    let chat = use_chat();
    move || {
        loading.get().map(|loading| match loading {
            Loading::Idle => view! { <p class="chat-edge"></p> }.into_any(),
            Loading::Running => view! { <p class="chat-edge">{text(loading_text)}</p> }.into_any(),
            Loading::Failed => view! {
                <p class="chat-edge">
                    {text(|m| m.history_failed)}
                    <button type="button" class="button" on:click=move |_| chat.retry_loads()>
                        {text(|m| m.try_again)}
                    </button>
                </p>
            }
            .into_any(),
        })
    }
}
