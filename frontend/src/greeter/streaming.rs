//! The card of `SayHelloStreamReply`.

mod fields;
mod greeting_log;
mod screen;

use std::time::Duration;

use leptos::prelude::*;
use proto::helloworld::HelloReply;
use tonic::{Status, Streaming};

use self::{
    fields::{FieldRow, Fields, StreamParameters},
    greeting_log::GreetingLog,
    screen::Screen,
};
use super::card_title::CardTitle;
use crate::{
    api::use_greeter,
    i18n::text,
    run::{CancelButton, Facts, FailureView, Run},
};

/// Greetings read before the browser gets a turn.
const GREETINGS_PER_TURN: u64 = 500;

#[component]
pub(super) fn StreamingCard() -> impl IntoView {
    let greeter = use_greeter();
    let run = Run::new();
    let fields = Fields::new();
    let screen = Screen::new();
    let start = move || {
        let StreamParameters { name, options, deadline } = fields.read()?;
        let greeter = greeter.clone();
        screen.clear();
        run.start(async move {
            let replies = greeter.say_hello_stream_reply(name, options, deadline).await?;
            run.carried_by(&replies);
            collect(replies.into_inner(), screen).await
        });
        Some(())
    };
    view! {
        <section class="card">
            <CardTitle method="SayHelloStreamReply" mode=|m| m.mode_server text=|m| m.mode_server_text />
            <form
                class="card__form"
                aria-label="SayHelloStreamReply"
                novalidate
                on:submit=move |event| {
                    event.prevent_default();
                    // `None`: a field shows its error, and an older result would belong to other input.
                    if start().is_none() && run.forget() {
                        screen.clear();
                    }
                }
            >
                <FieldRow fields />
                <div class="card__buttons">
                    <button type="submit" class="button" class:button--primary=move || !run.is_running()>{text(|m| m.start)}</button>
                    <CancelButton run />
                </div>
                <GreetingLog greetings=screen.drawn run />
                <div class="result" role="status">
                    <FailureView run />
                </div>
                <Facts run replies=Signal::derive(move || screen.drawn.with(|drawn| drawn.total)) />
            </form>
        </section>
    }
}

/// Reads the stream to its end.
async fn collect(mut stream: Streaming<HelloReply>, screen: Screen) -> Result<(), Status> {
    while let Some(reply) = stream.message().await? {
        if screen.push(reply.message).is_multiple_of(GREETINGS_PER_TURN) {
            // The browser has to draw and to handle clicks meanwhile.
            tonic_web_channel::rt::sleep(Duration::ZERO).await;
        }
    }
    Ok(())
}
