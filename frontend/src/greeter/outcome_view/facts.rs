//! The status code and the duration of a call.

use leptos::prelude::*;

use super::super::run::Run;
use crate::{
    duration_text::duration_text,
    i18n::{text, use_messages},
    status::code_name,
};

/// The status code with its name, and the duration.
#[component]
pub(crate) fn Facts(
    /// The call.
    run: Run,
) -> impl IntoView {
    let m = use_messages();
    let facts = Memo::new(move |_| match run.outcome.get() {
        None if run.is_running() => (m.get().running.to_owned(), "–".to_owned()),
        None => ("–".to_owned(), "–".to_owned()),
        Some(outcome) => {
            let code = outcome.failure.code;
            let number = (code as i32).to_string();
            ([&number, " ", code_name(code)].concat(), duration_text(outcome.duration))
        }
    });
    let code = Signal::derive(move || facts.get().0);
    let duration = Signal::derive(move || facts.get().1);
    view! {
        <dl class="facts">
            <div>
                <dt>{text(|m| m.status_code)}</dt>
                <dd>{code}</dd>
            </div>
            <div>
                <dt>{text(|m| m.duration)}</dt>
                <dd>{duration}</dd>
            </div>
        </dl>
    }
}
