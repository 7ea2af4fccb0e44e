//! Earlier calls of this server, each of which fills the request again.

use leptos::prelude::*;
use tonic::Code;

use super::{
    history::{self, MAX_CALLS, PastCall},
    state::Explorer,
    texts::{say, use_texts},
};
use crate::{
    duration_text::duration_text,
    i18n::{fill, use_language},
    intl,
    route::{Route, navigate},
    status::code_name,
};

/// The list, closed at first.
#[component]
pub(super) fn HistoryList() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let past = explorer.past;
    let clear = move |_| {
        history::clear(&explorer.address.get_untracked());
        past.set(Vec::new());
    };
    view! {
        <details class="explorer-doc">
            <summary>{say(|t| t.history)}</summary>
            <div class="explorer-history">
                <Show
                    when=move || !past.with(Vec::is_empty)
                    fallback=move || view! { <p class="field__hint">{say(|t| t.history_none)}</p> }
                >
                    <ul class="explorer-history__list" aria-label=say(|t| t.history)>
                        <For each=move || past.get() key=|call| (call.started_ms, call.method.clone()) let:call>
                            <PastCallRow call />
                        </For>
                    </ul>
                    <div class="explorer-metadata__end">
                        <button type="button" class="button" on:click=clear>{say(|t| t.history_clear)}</button>
                        <p class="field__hint">
                            {move || fill(t.get().history_about, &[("count", &MAX_CALLS.to_string())])}
                        </p>
                    </div>
                </Show>
            </div>
        </details>
    }
}

/// A call: a button that fills the request again.
#[component]
fn PastCallRow(
    /// The call.
    call: PastCall,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let language = use_language();
    let code = Code::from_i32(call.code);
    let started_ms = call.started_ms;
    let duration = duration_text(std::time::Duration::from_millis(call.duration_ms));
    let method = call.method.clone();
    let label = {
        let method = method.clone();
        move || fill(t.get().history_use, &[("method", &method)])
    };
    let preview: String =
        call.requests.join(" ").split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect();
    let tone = if code == Code::Ok { "ok" } else { "failed" };
    let restore = move |_| {
        explorer.restore(&call);
        navigate(&Route::Explorer { method: Some(call.method.clone()) }, false);
    };
    view! {
        <li>
            <button type="button" class="explorer-history__call" data-code=tone title=label on:click=restore>
                <span class="explorer-history__time">
                    {move || intl::moment(language.get(), intl::Moment::TimeWithSeconds, started_ms)}
                </span>
                " "
                <span class="explorer-history__method">{method}</span>
                " "
                <span class="explorer-history__code">{code_name(code)}</span>
                " "
                <span class="explorer-history__time">{duration}</span>
                " "
                <span class="explorer-history__text">{preview}</span>
            </button>
        </li>
    }
}
