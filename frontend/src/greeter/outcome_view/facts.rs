//! The status code, the duration and the rate of a call.

use leptos::prelude::*;

use super::super::run::Run;
use crate::{
    duration_text::duration_text,
    i18n::{text, use_messages},
    status::code_name,
};

/// The status code with its name, the duration, and of a stream the replies in a second. Empty before the first call.
#[component]
pub(crate) fn Facts(
    /// The call.
    run: Run,
    /// The replies so far, of a stream.
    #[prop(optional, into)]
    replies: Option<Signal<u64>>,
) -> impl IntoView {
    let m = use_messages();
    let code = move || match run.outcome.get() {
        None => m.get().running.to_owned(),
        Some(outcome) => {
            let code = outcome.failure.code;
            [&(code as i32).to_string(), " ", code_name(code)].concat()
        }
    };
    let duration = Signal::derive(move || match run.outcome.get() {
        None => run.elapsed.get(),
        Some(outcome) => outcome.duration,
    });
    let rate = move || {
        let replies = replies?.get();
        let millis = u64::from(duration.get().subsec_millis()) + duration.get().as_secs() * 1_000;
        (replies > 1 && millis > 0).then(|| [&(replies * 1_000 / millis).to_string(), "/s"].concat())
    };
    let is_shown = move || run.is_running() || run.outcome.with(Option::is_some);
    view! {
        <dl class="facts">
            <Show when=is_shown fallback=|| ()>
                <div>
                    <dt>{text(|m| m.status_code)}</dt>
                    <dd>{code}</dd>
                </div>
                <div>
                    <dt>{text(|m| m.duration)}</dt>
                    <dd>{move || duration_text(duration.get())}</dd>
                </div>
                {move || rate().map(|rate| view! {
                    <div>
                        <dt>{text(|m| m.rate)}</dt>
                        <dd>{rate}</dd>
                    </div>
                })}
            </Show>
        </dl>
    }
}
