//! The Greeter page: a card for each of the four kinds of call.

mod card_title;
mod field;
mod input;
mod native;
mod outcome_view;
mod run;
mod streaming;
mod unary;

use leptos::prelude::*;

use self::{native::NativeCard, streaming::StreamingCard, unary::UnaryCard};
use crate::{
    calls::use_calls,
    i18n::text,
    icon::{Icon, IconKind},
    keys::keys,
};

/// The Greeter.
#[component]
pub(crate) fn GreeterPage() -> impl IntoView {
    view! {
        <div class="greeter">
            <div class="greeter__page">
                <article class="page">
                    <h1>{text(|m| m.greeter)}</h1>
                    <p class="greeter__intro">{text(|m| m.greeter_intro)}</p>
                    <div class="greeter__cards">
                        <UnaryCard />
                        <StreamingCard />
                        <NativeCard
                            method="SayHelloClientStream"
                            mode=|m| m.mode_client
                            text=|m| m.mode_client_text
                        />
                        <NativeCard
                            method="SayHelloBidiStream"
                            mode=|m| m.mode_bidi
                            text=|m| m.mode_bidi_text
                        />
                    </div>
                </article>
            </div>
            <CallsBar />
        </div>
    }
}

/// The button "Calls" at the lower edge, where the panel opens.
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
            </div>
        </Show>
    }
}
