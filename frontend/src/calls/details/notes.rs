//! Retries and warnings of a call.

use leptos::prelude::*;

use super::super::{context::use_calls, log::Note};
use crate::{
    duration_text::duration_text,
    i18n::{Messages, fill, use_messages},
    status::code_name,
};

/// The notes, one a line.
#[component]
pub(super) fn Notes(
    /// The call's id.
    id: u64,
) -> impl IntoView {
    let m = use_messages();
    let calls = use_calls();
    let notes = Memo::new(move |_| calls.notes(id));
    move || {
        let notes = notes.get();
        let lines: Vec<_> = notes
            .iter()
            .map(|note| view! { <li class="call__note">{note_text(m.get(), note)}</li> })
            .collect();
        (!lines.is_empty()).then(|| view! { <ul>{lines}</ul> })
    }
}

fn note_text(m: &Messages, note: &Note) -> String {
    match note {
        Note::Retry { attempt, delay, code } => fill(
            m.calls_retry,
            &[
                ("attempt", &attempt.to_string()),
                ("code", code_name(*code)),
                ("delay", &duration_text(*delay)),
            ],
        ),
        Note::Warning(text) => text.to_string(),
    }
}
