//! The first row of a room.

use chat_model::rows::RowBody;
use leptos::prelude::*;

use super::super::list::{DrawnRow, ListView};
use crate::{
    i18n::{fill, use_language, use_messages},
    intl::{self, Moment},
};

/// The room's creator and the day of its creation.
#[component]
pub(super) fn StartRow(
    /// The row.
    row: DrawnRow,
    /// Its list.
    list: ListView,
) -> impl IntoView {
    let m = use_messages();
    let language = use_language();
    let sentence = move || match &*row.body.read() {
        RowBody::Start { author, at_ms } if !author.name.is_empty() => {
            let day = intl::moment(language.get(), Moment::DayWithYear, *at_ms);
            let room = list.room_name.get();
            fill(m.get().room_start_by, &[("name", &author.name), ("room", &room), ("day", &day)])
        }
        _ => fill(m.get().room_start, &[("room", &list.room_name.get())]),
    };
    view! { <p class="chat-start">{sentence}</p> }
}
