//! The delivery state of a message of this user.

use chat_model::{
    outbox::NotSentReason,
    rows::{Delivery, MessageRow},
};
use leptos::prelude::*;
use tonic::Code;

use super::{
    super::{composer::ComposerHandle, store::use_chat},
    pushback_view::PushbackView,
};
use crate::i18n::{Messages, fill, text, use_messages};

/// The state while the message waits (the style sheet draws a clock); the reason and three buttons when it was not sent.
#[component]
pub(super) fn DeliveryView(
    /// The message.
    message: Signal<Option<MessageRow>>,
    /// Its delivery state.
    delivery: Memo<Delivery>,
    /// The tab index of the buttons.
    tab_index: Signal<Option<&'static str>>,
) -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let composer = expect_context::<ComposerHandle>();
    let operation_id = move || message.with_untracked(|message| message.as_ref()?.operation_id);
    move || match delivery.get() {
        Delivery::Stored => ().into_any(),
        Delivery::Waiting => view! {
            <span class="visually-hidden">{text(|m| m.waiting)}</span>
            <PushbackView />
        }
        .into_any(),
        Delivery::NotSent(reason) => {
            let author = message.with_untracked(|message| {
                message.as_ref().map(|message| message.author.name.clone()).unwrap_or_default()
            });
            let reason = move || reason_text(m.get(), &reason, &author);
            let try_again = move |_| operation_id().into_iter().for_each(|id| chat.try_again(id));
            let edit = move |_| {
                let text =
                    message.with_untracked(|message| message.as_ref().map(|message| message.text.clone()));
                if let (Some(id), Some(text)) = (operation_id(), text) {
                    chat.discard(id);
                    composer.edit(&text);
                }
            };
            let discard = move |_| operation_id().into_iter().for_each(|id| chat.discard(id));
            view! {
                <div class="chat-message__not-sent">
                    <p>
                        <strong>{text(|m| m.not_sent)}</strong>
                        " "
                        {reason}
                    </p>
                    <button type="button" class="button" tabindex=tab_index on:click=try_again>
                        {text(|m| m.try_again)}
                    </button>
                    <button type="button" class="button" tabindex=tab_index on:click=edit>
                        {text(|m| m.edit)}
                    </button>
                    <button type="button" class="button" tabindex=tab_index on:click=discard>
                        {text(|m| m.discard)}
                    </button>
                </div>
            }
            .into_any()
        }
    }
}

fn reason_text(m: &Messages, reason: &NotSentReason, author: &str) -> String {
    match reason {
        NotSentReason::Refused { code: Code::InvalidArgument, .. } => m.not_sent_invalid.to_owned(),
        // The server's text is in the server's language.
        NotSentReason::Refused { code, .. } => {
            fill(m.not_sent_refused, &[("reason", crate::status::sentence(m, *code))])
        }
        NotSentReason::TooOld => m.not_sent_too_old.to_owned(),
        NotSentReason::OtherUser => fill(m.not_sent_other_user, &[("name", author)]),
    }
}
