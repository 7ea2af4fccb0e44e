//! The messages of a call in both directions, in their order.

use leptos::{html, prelude::*};

use crate::i18n::text;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Line {
    Sent(String),
    Received(String),
}

/// The messages. The newest one stays in view.
#[component]
pub(super) fn ExchangeLog(
    /// The messages so far.
    lines: RwSignal<Vec<Line>>,
) -> impl IntoView {
    let log = NodeRef::<html::Div>::new();
    Effect::new(move || {
        lines.track();
        if let Some(log) = log.get() {
            // After the rows are drawn.
            request_animation_frame(move || log.set_scroll_top(log.scroll_height()));
        }
    });
    view! {
        <div
            class="greetings greetings--exchange"
            role="log"
            aria-label=text(|m| m.exchange)
            tabindex="0"
            data-placeholder=text(|m| m.exchange_none)
            node_ref=log
        >
            <For each=move || lines.get().into_iter().enumerate() key=Clone::clone let((_, line))>
                {row(line)}
            </For>
        </div>
    }
}

fn row(line: Line) -> impl IntoView {
    let (direction, class, message): (crate::i18n::Text, _, _) = match line {
        Line::Sent(message) => (|m| m.calls_sent, "greetings__sent", message),
        Line::Received(message) => (|m| m.calls_received, "greetings__received", message),
    };
    view! {
        <p class=class>
            <span class="greetings__direction">{text(direction)}</span>
            " "
            <bdi>{message}</bdi>
        </p>
    }
}
