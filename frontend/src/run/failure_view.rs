//! The failure of a call.

use leptos::prelude::*;
use tonic::Code;

use super::Run;
use crate::i18n::use_messages;

/// The failure in a sentence, with the status message behind "Details"; nothing after a success.
#[component]
pub(crate) fn FailureView(
    /// The call.
    run: Run,
) -> impl IntoView {
    let m = use_messages();
    move || {
        let outcome = run.outcome.get().filter(|outcome| outcome.failure.code != Code::Ok)?;
        let is_cancelled = outcome.failure.code == Code::Cancelled;
        let has_details = !outcome.message.is_empty();
        Some(view! {
            <p class=if is_cancelled { "result__quiet" } else { "error" }>{outcome.failure.sentence(m.get())}</p>
            {has_details
                .then(|| {
                    view! {
                        <details class="result__details">
                            <summary>{m.get().details}</summary>
                            <p lang="en">{outcome.message}</p>
                        </details>
                    }
                })}
        })
    }
}
