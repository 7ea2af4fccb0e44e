//! The messages of a call in both directions, in their order.

use leptos::prelude::*;

use super::message_log::MessageLog;
use crate::{
    i18n::{Text, text},
    row_list::RowList,
};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Line {
    Sent(String),
    Received(String),
}

/// The messages, each with its direction.
#[component]
pub(super) fn ExchangeLog(
    /// The messages so far.
    lines: RwSignal<Vec<Line>>,
) -> impl IntoView {
    view! {
        <MessageLog
            label=|m| m.exchange
            placeholder=|m| m.exchange_none
            of_exchange=true
            changed=Signal::derive(move || lines.track())
        >
            <RowList each=move || lines.get().into_iter().enumerate() key=Clone::clone let((_, line))>
                {row(line)}
            </RowList>
        </MessageLog>
    }
}

fn row(line: Line) -> impl IntoView {
    let (direction, message): (Text, _) = match line {
        Line::Sent(message) => (|m| m.calls_sent, message),
        Line::Received(message) => (|m| m.calls_received, message),
    };
    view! {
        <p>
            <span class="greetings__direction">{text(direction)}</span>
            " "
            <bdi>{message}</bdi>
        </p>
    }
}
