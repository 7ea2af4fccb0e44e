//! New messages for screen readers.

use chat_model::message::{Body, Message};
use leptos::prelude::*;

use super::super::list::ListView;
use crate::i18n::{fill, use_messages};

/// A live region that reads out new messages once, author first, and own ones that were not sent. The list itself is not live, because it moves rows that were read out
/// before.
#[component]
pub(super) fn Announcer(
    /// The list.
    list: ListView,
) -> impl IntoView {
    let m = use_messages();
    let is_padded = StoredValue::new(false);
    let sentence = move || {
        let m = m.get();
        let mut sentence = list.announcements.with(|announcements| {
            let not_sent =
                announcements.not_sent.as_ref().map(|text| fill(m.not_sent_announced, &[("text", text)]));
            let arrived = announcements.messages.last().map(|last| {
                let count = announcements.messages.len();
                let template = if count == 1 { m.message_arrived } else { m.messages_arrived };
                let count = count.to_string();
                let author = last.author.name.as_str();
                fill(template, &[("author", author), ("text", text_of(last)), ("count", &count)])
            });
            [not_sent, arrived].into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        // The same text twice would be no change, and not be read out again.
        if is_padded.try_update_value(|is_padded| std::mem::replace(is_padded, !*is_padded)) == Some(true) {
            sentence.push('\u{a0}');
        }
        sentence
    };
    view! {
        <p class="visually-hidden" aria-live="polite" data-announcer="">
            {sentence}
        </p>
    }
}

fn text_of(message: &Message) -> &str {
    match &message.body {
        Body::Text(text) => text,
        Body::Created | Body::Unknown => "",
    }
}
