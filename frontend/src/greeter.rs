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
use crate::i18n::text;

/// The Greeter.
#[component]
pub(crate) fn GreeterPage() -> impl IntoView {
    view! {
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
    }
}
