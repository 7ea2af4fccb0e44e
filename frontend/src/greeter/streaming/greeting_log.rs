//! The list of greetings.

use leptos::prelude::*;

use super::{super::message_log::MessageLog, screen::Greetings};
use crate::{
    i18n::{fill, plural, use_messages},
    row_list::RowList,
    run::Run,
};

/// The greetings, and their number.
#[component]
pub(super) fn GreetingLog(
    /// The greetings.
    greetings: RwSignal<Greetings>,
    /// The call.
    run: Run,
) -> impl IntoView {
    let m = use_messages();
    let count = Signal::derive(move || {
        if !run.is_running() && run.outcome.with(Option::is_none) {
            return String::new();
        }
        let (total, newest) = greetings.with(|greetings| (greetings.total, greetings.newest.len()));
        let count = plural(total, m.get().greetings_count_one, m.get().greetings_count_other);
        if total == newest as u64 {
            return count;
        }
        let newest = fill(m.get().greetings_newest, &[("count", &newest.to_string())]);
        [&count, " · ", &newest].concat()
    });
    view! {
        <MessageLog
            label=|m| m.greetings
            placeholder=|m| m.greetings_none
            changed=Signal::derive(move || greetings.track())
        >
            <RowList each=move || greetings.with(|all| all.newest.clone()) key=|(index, _)| *index let:greeting>
                <p>{greeting.1}</p>
            </RowList>
        </MessageLog>
        <p class="greetings__count">{count}</p>
    }
}
