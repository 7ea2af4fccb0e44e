//! A row of the message list.

mod actions;
mod delivery_view;
mod message_view;
mod pushback_view;
mod start_row;

use chat_model::rows::{RowBody, RowKey};
use leptos::prelude::*;

use self::{message_view::MessageView, start_row::StartRow};
use super::{
    calendar::day_name,
    list::{DrawnRow, ListView, RowContent},
};
use crate::i18n::{provide_scoped_language, text, use_messages};

/// A row of any kind.
#[component]
pub(crate) fn RowView(
    /// The row.
    row: DrawnRow,
    /// Its list.
    list: ListView,
) -> impl IntoView {
    match row.key {
        RowKey::Start => view! { <StartRow row list /> }.into_any(),
        RowKey::Day(_) => view! { <DayRow row list /> }.into_any(),
        RowKey::Unread => view! { <UnreadLine /> }.into_any(),
        RowKey::Seq(_) | RowKey::Own(_) => view! { <MessageView row list /> }.into_any(),
    }
}

/// The name of the day of the messages below.
#[component]
fn DayRow(
    /// The row.
    row: DrawnRow,
    /// Its list.
    list: ListView,
) -> impl IntoView {
    provide_scoped_language();
    let m = use_messages();
    let name = move || match *row.content.read() {
        RowContent { body: RowBody::Day { at_ms }, language } => {
            day_name(m.get(), language, at_ms, list.today.get())
        }
        _ => String::new(),
    };
    view! { <div class="chat-day"><h2>{name}</h2></div> }
}

/// The line above the unread messages.
#[component]
fn UnreadLine() -> impl IntoView {
    provide_scoped_language();
    view! { <p class="chat-unread"><span>{text(|m| m.unread_line)}</span></p> }
}
