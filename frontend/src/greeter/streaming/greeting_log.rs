//! The list of greetings.

use leptos::{html, prelude::*};

use super::{super::run::Run, screen::Greetings};
use crate::i18n::{fill, plural, text, use_messages};

/// The greetings. While the reader is at the end, the newest one stays in view.
#[component]
pub(super) fn GreetingLog(
    /// The greetings.
    greetings: RwSignal<Greetings>,
    /// The call.
    run: Run,
) -> impl IntoView {
    let m = use_messages();
    let log = NodeRef::<html::Div>::new();
    let at_end = StoredValue::new(true);
    Effect::new(move || {
        greetings.track();
        if let Some(log) = log.get().filter(|_| at_end.get_value()) {
            // After the rows are drawn.
            request_animation_frame(move || log.set_scroll_top(log.scroll_height()));
        }
    });
    let note_position = move |_| {
        if let Some(log) = log.get_untracked() {
            at_end.set_value(log.scroll_height() - log.scroll_top() - log.client_height() < 24);
        }
    };
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
        <div
            class="greetings"
            role="log"
            aria-label=text(|m| m.greetings)
            tabindex="0"
            data-placeholder=text(|m| m.greetings_none)
            node_ref=log
            on:scroll=note_position
        >
            <For each=move || greetings.with(|all| all.newest.clone()) key=|(index, _)| *index let:greeting>
                <p>{greeting.1}</p>
            </For>
        </div>
        <p class="greetings__count">{count}</p>
    }
}
