//! The card of `SayHelloStreamReply`.

use std::{collections::VecDeque, time::Duration};

use leptos::{html, prelude::*};
use tonic::{Status, Streaming};

use super::{
    CardTitle,
    fields::{Field, Refused, TextField, name, number},
    run::{CancelButton, Facts, Failure, Run},
};
use crate::{
    api::{StreamOptions, use_api},
    greeter::LONGEST_DEADLINE_MS,
    i18n::{fill, plural, text, use_messages},
};
use proto::{
    helloworld::HelloReply,
    limits::greeter::{MAX_COUNT, MAX_INTERVAL_MS},
};

/// How many greetings stay in the page; of more, the newest.
const KEPT_GREETINGS: usize = 1_000;

/// How long a greeting waits for others to be drawn together with them.
const DRAW_INTERVAL: Duration = Duration::from_millis(50);

/// How many greetings are taken before the browser gets a turn.
const MESSAGES_PER_TURN: u64 = 500;

/// The newest greetings and how many there were.
#[derive(Clone, Debug, Default, PartialEq)]
struct Greetings {
    total: u64,
    newest: VecDeque<(u64, String)>,
}

impl Greetings {
    fn push(&mut self, message: String) {
        if self.newest.len() == KEPT_GREETINGS {
            self.newest.pop_front();
        }
        self.newest.push_back((self.total, message));
        self.total += 1;
    }
}

/// The greetings as they come, and as they were last drawn: a fast stream is drawn now and then, not
/// for each greeting.
#[derive(Clone, Copy)]
struct Screen {
    greetings: StoredValue<Greetings>,
    drawn: RwSignal<Greetings>,
    draw_is_due: StoredValue<bool>,
}

impl Screen {
    fn new() -> Screen {
        Screen {
            greetings: StoredValue::default(),
            drawn: RwSignal::default(),
            draw_is_due: StoredValue::new(false),
        }
    }

    fn clear(self) {
        self.greetings.set_value(Greetings::default());
        self.drawn.set(Greetings::default());
    }

    /// Adds a greeting; how many there are now.
    fn push(self, message: String) -> u64 {
        let total = self.greetings.try_update_value(|greetings| {
            greetings.push(message);
            greetings.total
        });
        if self.draw_is_due.try_get_value() == Some(false) {
            self.draw_is_due.set_value(true);
            set_timeout(move || self.draw(), DRAW_INTERVAL);
        }
        total.unwrap_or_default()
    }

    /// Nothing happens when the card is gone meanwhile.
    fn draw(self) {
        if let Some(greetings) = self.greetings.try_get_value() {
            self.draw_is_due.set_value(false);
            self.drawn.set(greetings);
        }
    }
}

/// What the form asks for.
struct Wish {
    name: String,
    options: StreamOptions,
    deadline: Option<Duration>,
}

#[derive(Clone, Copy)]
struct Fields {
    name: Field,
    count: Field,
    interval: Field,
    deadline: Field,
}

impl Fields {
    /// None when a field is refused, which then says why.
    fn read(self) -> Option<Wish> {
        let name = self.name.read(name)?;
        let count = self.count.read(|input| number(input, 1, MAX_COUNT))?;
        let interval_ms = self.interval.read(|input| number(input, 0, MAX_INTERVAL_MS))?;
        let deadline = self.deadline.read(|input| number(input, 1, LONGEST_DEADLINE_MS))?;
        if interval_ms == Some(0) && count.is_none() {
            self.count.refuse(Refused::IntervalNeedsCount);
            return None;
        }
        let deadline = deadline.map(|ms| Duration::from_millis(ms.into()));
        Some(Wish { name, options: StreamOptions { count, interval_ms }, deadline })
    }
}

#[component]
pub(super) fn StreamingCard() -> impl IntoView {
    let api = use_api();
    let run = Run::new();
    let fields = Fields {
        name: Field::new("World"),
        count: Field::new(""),
        interval: Field::new(""),
        deadline: Field::new(""),
    };
    let screen = Screen::new();
    let start = move || {
        let wish = fields.read()?;
        let api = api.clone();
        screen.clear();
        run.start(async move {
            let stream = api.say_hello_stream_reply(wish.name, wish.options, wish.deadline).await?;
            collect(stream, screen).await
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
                    // None: a field has said why.
                    let _: Option<()> = start();
                }
            >
                <FieldRow fields />
                <div class="card__buttons">
                    <button type="submit" class="button button--primary">{text(|m| m.start)}</button>
                    <CancelButton run />
                </div>
                <GreetingLog greetings=screen.drawn />
                <div class="result" role="status">
                    <Failure run />
                </div>
                <Facts run />
            </form>
        </section>
    }
}

#[component]
fn FieldRow(fields: Fields) -> impl IntoView {
    view! {
        <div class="card__fields">
            <TextField id="stream-name" field=fields.name label=|m| m.name />
            <TextField
                id="stream-count"
                field=fields.count
                label=|m| m.count
                hint=|m| m.count_hint
                numeric=true
            />
            <TextField
                id="stream-interval"
                field=fields.interval
                label=|m| m.interval
                hint=|m| m.interval_hint
                numeric=true
            />
            <TextField
                id="stream-deadline"
                field=fields.deadline
                label=|m| m.deadline
                hint=|m| m.deadline_hint_stream
                numeric=true
            />
        </div>
    }
}

/// The greetings, the newest in view for as long as the reader is at the end.
#[component]
fn GreetingLog(greetings: RwSignal<Greetings>) -> impl IntoView {
    let m = use_messages();
    let log = NodeRef::<html::Div>::new();
    let at_end = StoredValue::new(true);
    Effect::new(move || {
        greetings.track();
        if let Some(log) = log.get().filter(|_| at_end.get_value()) {
            // After the rows are in the page.
            request_animation_frame(move || log.set_scroll_top(log.scroll_height()));
        }
    });
    let note_place = move |_| {
        if let Some(log) = log.get_untracked() {
            at_end.set_value(log.scroll_height() - log.scroll_top() - log.client_height() < 24);
        }
    };
    let count = Signal::derive(move || {
        let (total, cut) = greetings.with(|all| (all.total, all.total > all.newest.len() as u64));
        let count = plural(total, m.get().greetings_count_one, m.get().greetings_count_other);
        match cut {
            false => count,
            true => {
                let newest = fill(m.get().greetings_newest, &[("count", &KEPT_GREETINGS.to_string())]);
                [&count, " · ", &newest].concat()
            }
        }
    });
    view! {
        <div
            class="greetings"
            role="log"
            aria-label=text(|m| m.greetings)
            tabindex="0"
            node_ref=log
            on:scroll=note_place
        >
            <For each=move || greetings.with(|all| all.newest.clone()) key=|(index, _)| *index let:greeting>
                <p>{greeting.1}</p>
            </For>
        </div>
        <p class="greetings__count">{count}</p>
    }
}

/// Reads the stream to its end.
async fn collect(mut stream: Streaming<HelloReply>, screen: Screen) -> Result<(), Status> {
    while let Some(reply) = stream.message().await? {
        if screen.push(reply.message).is_multiple_of(MESSAGES_PER_TURN) {
            // Lets the browser draw and hear a click, whatever else is ready.
            tonic_web_channel::rt::sleep(Duration::ZERO).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_greetings_are_kept_and_all_are_counted() {
        let mut greetings = Greetings::default();
        for number in 0..2_500 {
            greetings.push(number.to_string());
        }
        assert_eq!(greetings.total, 2_500);
        assert_eq!(greetings.newest.len(), KEPT_GREETINGS);
        assert_eq!(greetings.newest.front(), Some(&(1_500, "1500".to_owned())));
        assert_eq!(greetings.newest.back(), Some(&(2_499, "2499".to_owned())));
    }
}
