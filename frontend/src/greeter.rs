//! The Greeter page: a card for each of the four kinds of call.

mod card_title;
mod exchange_log;
mod field;
mod input;
mod message_log;
mod requests;
mod streaming;
mod unary;

use leptos::prelude::*;

pub(crate) use self::input::deadline;
use self::{
    requests::{Requests, RequestsCard},
    streaming::StreamingCard,
    unary::UnaryCard,
};
use crate::{
    api::{GreeterApi, socket_address},
    base::server_address,
    calls::use_calls,
    chunk::part,
    i18n::text,
    icon::{Icon, IconKind},
    keys::keys,
    route::Route,
    style::{self, add_style},
};

part!(GREETER, greeter: view! { <GreeterPage /> });

/// The Greeter.
#[component]
pub(crate) fn GreeterPage() -> impl IntoView {
    add_style(style::GREETER);
    provide_greeter();
    view! {
        <div class="greeter">
            <div class="greeter__page">
                <article class="page">
                    <h1>{text(|m| m.greeter)}</h1>
                    <p class="greeter__intro">{text(|m| m.greeter_intro)}</p>
                    <div class="greeter__cards">
                        <div class="greeter__column">
                            <UnaryCard />
                            <RequestsCard requests=Requests::ThenReply />
                        </div>
                        <div class="greeter__column">
                            <StreamingCard />
                            <RequestsCard requests=Requests::WithReplies />
                        </div>
                    </div>
                </article>
            </div>
            <CallsBar />
        </div>
    }
}

/// The button "Calls" at the lower edge, where the panel opens, and the way to the explorer.
#[component]
fn CallsBar() -> impl IntoView {
    let calls = use_calls();
    let keys = keys();
    view! {
        <Show when=move || !calls.is_open() fallback=|| ()>
            <div class="greeter__calls">
                <button
                    type="button"
                    class="button button--quiet"
                    id="calls-button"
                    aria-expanded="false"
                    aria-keyshortcuts=keys.calls_aria
                    on:click=move |_| calls.toggle_with_focus()
                >
                    <Icon kind=IconKind::Calls />
                    {text(|m| m.calls)}
                    <kbd aria-hidden="true">{keys.calls}</kbd>
                </button>
                <a class="button button--quiet" href=Route::Explorer { method: None }.address()>{text(|m| m.explorer)}</a>
            </div>
        </Show>
    }
}

/// Provides the Greeter's calls to the parts of its page. Made there, so that no other page loads the WebSocket's code.
fn provide_greeter() {
    let server = server_address();
    let greeter = GreeterApi::new(&server, &socket_address(&server), use_calls().observer());
    provide_context(greeter.expect("a page's own address is a valid one"));
}
