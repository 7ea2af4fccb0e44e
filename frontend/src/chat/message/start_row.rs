//! The first row of a room.

use chat_model::rows::RowBody;
use leptos::prelude::*;

use super::super::list::{DrawnRow, ListView, RowContent};
use crate::{
    copy_button::CopyButton,
    i18n::{fill, provide_scoped_language, text, use_messages},
    icon::{Icon, IconKind},
    intl::{self, Moment},
    route::room_link,
};

/// The room's name, its creator and the day of its creation. While nobody has written, also a link to invite others by.
#[component]
pub(super) fn StartRow(
    /// The row.
    row: DrawnRow,
    /// Its list.
    list: ListView,
) -> impl IntoView {
    provide_scoped_language();
    let m = use_messages();
    let sentence = move || match &*row.content.read() {
        RowContent { body: RowBody::Start { author, at_ms }, language } if !author.name.is_empty() => {
            let day = intl::moment(*language, Moment::DayWithYear, *at_ms);
            let room = list.room_name.get();
            fill(m.get().room_start_by, &[("name", &author.name), ("room", &room), ("day", &day)])
        }
        _ => fill(m.get().room_start, &[("room", &list.room_name.get())]),
    };
    view! {
        <div class="chat-start">
            <span class="chat-start__mark"><Icon kind=IconKind::Room /></span>
            <h2>{list.room_name}</h2>
            <p>{sentence}</p>
            <Show when=move || list.is_empty.get() fallback=|| ()>
                <p>{text(|m| m.room_empty)}</p>
                <CopyButton text=room_link(&list.room_id(), None) label=|m| m.copy_link kind=IconKind::Link />
            </Show>
        </div>
    }
}
