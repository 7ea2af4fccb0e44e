//! The status code, the duration and the rate of a call.

use leptos::prelude::*;
use tonic_web_channel::Route;

use super::Run;
use crate::{
    duration_text::duration_text,
    i18n::{Text, text, use_messages},
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
    /// The messages sent so far, of a stream of requests.
    #[prop(optional, into)]
    sent: Option<Signal<u64>>,
    /// The messages received so far, beside `sent`.
    #[prop(optional, into)]
    received: Option<Signal<u64>>,
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
                {sent.map(|sent| view! { <Fact name=|m| m.calls_sent value=sent /> })}
                {received.map(|received| view! { <Fact name=|m| m.calls_received value=received /> })}
                {move || rate().map(|rate| view! {
                    <div>
                        <dt>{text(|m| m.rate)}</dt>
                        <dd>{rate}</dd>
                    </div>
                })}
                {move || run.route.get().map(|route| view! {
                    <div>
                        <dt>{text(|m| m.transport)}</dt>
                        <dd>{text(route_text(route))}</dd>
                    </div>
                })}
            </Show>
        </dl>
    }
}

/// A count.
#[component]
fn Fact(
    /// The name.
    name: Text,
    /// The count.
    value: Signal<u64>,
) -> impl IntoView {
    view! {
        <div>
            <dt>{text(name)}</dt>
            <dd>{value}</dd>
        </div>
    }
}

/// The transport of a call, with the reason.
fn route_text(route: Route) -> Text {
    match route {
        Route::Fetch => |m| m.route_fetch,
        Route::FetchWithoutSocket => |m| m.route_fetch_without_socket,
        Route::FetchAfterSocket => |m| m.route_fetch_after_socket,
        Route::Socket => |m| m.route_socket,
        _ => |m| m.route_socket_for_stream,
    }
}
