//! The Greeter page: one card for each of the four kinds of call.

mod fields;
mod native;
mod run;
mod streaming;
mod unary;

use leptos::prelude::*;

use self::{native::NativeCard, streaming::StreamingCard, unary::UnaryCard};
use crate::i18n::{Text, text as words};

/// The longest deadline that a card offers: an hour.
const LONGEST_DEADLINE_MS: u32 = 3_600_000;

/// The Greeter.
#[component]
pub(crate) fn GreeterPage() -> impl IntoView {
    view! {
        <article class="page">
            <h1>{words(|m| m.greeter)}</h1>
            <p class="greeter__intro">{words(|m| m.greeter_intro)}</p>
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

/// What stands at the top of every card.
#[component]
fn CardTitle(
    /// The method's name, the same in every language.
    method: &'static str,
    /// The kind of call.
    mode: Text,
    /// What it does.
    text: Text,
) -> impl IntoView {
    view! {
        <h2 class="card__title">{words(mode)}</h2>
        <p class="card__method">{method}</p>
        <p class="card__text">{words(text)}</p>
    }
}
