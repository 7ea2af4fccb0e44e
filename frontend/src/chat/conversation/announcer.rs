//! New messages for screen readers.

use chat_model::message::{Body, Message};
use leptos::prelude::*;

use super::super::list::ListView;
use crate::i18n::{fill, use_messages};

/// A live region that reads out new messages once, author first. The list itself is not live, because it moves rows that were read out
/// before.
#[component]
pub(super) fn Announcer(
    /// The list.
    list: ListView,
) -> impl IntoView {
    let m = use_messages();
    let is_padded = StoredValue::new(false);
    let sentence = move || {
        let mut sentence = list.announcements.with(|messages| match messages.as_slice() {
            [] => String::new(),
            [.., last] => {
                let count = messages.len().to_string();
                let template =
                    if messages.len() == 1 { m.get().message_arrived } else { m.get().messages_arrived };
                let arguments =
                    [("author", last.author.name.as_str()), ("text", text_of(last)), ("count", &count)];
                fill(template, &arguments)
            }
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
