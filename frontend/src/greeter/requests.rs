//! The cards of the two kinds of call with a stream of requests: names are sent one by one, until "Finish".

use std::time::Duration;

use futures_util::{Stream, stream};
use leptos::prelude::*;
use proto::helloworld::HelloRequest;
use tokio::sync::mpsc::{Sender, channel};
use tonic::Status;

use super::{
    card_title::CardTitle,
    exchange_log::{ExchangeLog, Line},
    field::{Field, TextField},
    input::{deadline, name},
};
use crate::{
    api::{GreeterApi, use_greeter},
    i18n::{Text, text},
    run::{CancelButton, Facts, FailureView, Run},
};

/// Names that wait for the server to take them. A person is slower.
const MAX_UNSENT: usize = 100;

/// A kind of call with a stream of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requests {
    /// One reply after the last request.
    ThenReply,
    /// A reply to each request.
    WithReplies,
}

impl Requests {
    fn method(self) -> &'static str {
        match self {
            Requests::ThenReply => "SayHelloClientStream",
            Requests::WithReplies => "SayHelloBidiStream",
        }
    }

    fn mode(self) -> (Text, Text) {
        match self {
            Requests::ThenReply => (|m| m.mode_client, |m| m.mode_client_text),
            Requests::WithReplies => (|m| m.mode_bidi, |m| m.mode_bidi_text),
        }
    }

    /// The ids of the inputs.
    fn ids(self) -> [&'static str; 2] {
        match self {
            Requests::ThenReply => ["names-name", "names-deadline"],
            Requests::WithReplies => ["conversation-name", "conversation-deadline"],
        }
    }
}

/// The state of a card.
#[derive(Clone, Copy)]
struct Exchange {
    run: Run,
    lines: RwSignal<Vec<Line>>,
    /// Sends requests. `None` after the last one. It counts only while the call runs.
    requests: RwSignal<Option<Sender<HelloRequest>>>,
}

impl Exchange {
    /// Sends a name in the call that runs. `false` when the call ended a moment ago, or the server takes no more.
    fn send(self, name: String) -> bool {
        let request = HelloRequest { name: name.clone() };
        let is_sent = self
            .requests
            .with_untracked(|open| open.as_ref().is_some_and(|open| open.try_send(request).is_ok()));
        if is_sent {
            self.lines.update(|lines| lines.push(Line::Sent(name)));
        }
        is_sent
    }

    /// The stream of requests of a new call.
    fn open(self) -> impl Stream<Item = HelloRequest> + Send + use<> {
        let (sender, receiver) = channel(MAX_UNSENT);
        self.lines.set(Vec::new());
        self.requests.set(Some(sender));
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)))
    }

    fn finish(self) {
        self.requests.set(None);
    }

    fn receive(self, message: String) {
        self.lines.update(|lines| lines.push(Line::Received(message)));
    }

    fn count(self, is_counted: impl Fn(&Line) -> bool + Send + Sync + 'static) -> Signal<u64> {
        Signal::derive(move || {
            self.lines.with(|lines| lines.iter().filter(|line| is_counted(line)).count() as u64)
        })
    }
}

#[component]
pub(super) fn RequestsCard(
    /// The kind of call.
    requests: Requests,
) -> impl IntoView {
    let greeter = use_greeter();
    let run = Run::new();
    let exchange = Exchange { run, lines: RwSignal::default(), requests: RwSignal::new(None) };
    let name_field = Field::new("Ada");
    let deadline_field = Field::new("");
    let is_finished = move || run.is_running() && exchange.requests.with(Option::is_none);
    let send = move || {
        let name = name_field.read(name)?;
        if !run.is_running_now() {
            let deadline = deadline_field.read(deadline)?;
            let names = exchange.open();
            run.start(call(greeter.clone(), requests, names, deadline, exchange));
        }
        // A name that could not be sent stays in the field.
        if exchange.send(name) {
            name_field.clear();
        }
        Some(())
    };
    let (mode, mode_text) = requests.mode();
    let [name_id, deadline_id] = requests.ids();
    view! {
        <section class="card">
            <CardTitle method=requests.method() mode text=mode_text />
            <form
                class="card__form"
                aria-label=requests.method()
                novalidate
                on:submit=move |event| {
                    event.prevent_default();
                    // `None`: a field shows its error, and an older result would belong to other input.
                    if !is_finished() && send().is_none() && run.forget() {
                        exchange.lines.set(Vec::new());
                    }
                }
            >
                <div class="card__fields">
                    <TextField id=name_id field=name_field label=|m| m.name />
                    <TextField
                        id=deadline_id
                        field=deadline_field
                        label=|m| m.deadline
                        hint=|m| m.deadline_hint_stream
                        numeric=true
                    />
                </div>
                <div class="card__buttons">
                    <button type="submit" class="button button--primary" aria-disabled=move || is_finished().then_some("true")>
                        {text(|m| m.send_name)}
                    </button>
                    <Show when=move || exchange.requests.with(Option::is_some) && run.is_running() fallback=|| ()>
                        <button type="button" class="button" on:click=move |_| exchange.finish()>
                            {text(|m| m.finish)}
                        </button>
                    </Show>
                    <CancelButton run />
                </div>
                <ExchangeLog lines=exchange.lines />
                <div class="result" role="status">
                    <FailureView run />
                </div>
                <Facts
                    run
                    sent=exchange.count(|line| matches!(line, Line::Sent(_)))
                    received=exchange.count(|line| matches!(line, Line::Received(_)))
                />
            </form>
        </section>
    }
}

/// Makes the call, and shows its replies.
async fn call(
    greeter: GreeterApi,
    kind: Requests,
    names: impl Stream<Item = HelloRequest> + Send + 'static,
    deadline: Option<Duration>,
    exchange: Exchange,
) -> Result<(), Status> {
    match kind {
        Requests::ThenReply => {
            let reply = greeter.say_hello_client_stream(names, deadline).await?;
            exchange.run.carried_by(&reply);
            exchange.receive(reply.into_inner().message);
        }
        Requests::WithReplies => {
            let replies = greeter.say_hello_bidi_stream(names, deadline).await?;
            exchange.run.carried_by(&replies);
            let mut replies = replies.into_inner();
            while let Some(reply) = replies.message().await? {
                exchange.receive(reply.message);
            }
        }
    }
    Ok(())
}
