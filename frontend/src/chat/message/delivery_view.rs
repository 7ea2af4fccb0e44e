//! The delivery state of a message of this user.

use chat_model::{
    outbox::NotSentReason,
    rows::{Delivery, MessageRow},
};
use leptos::prelude::*;
use tonic::Code;

use super::{
    super::{composer::ComposerHandle, store::use_chat, text_view::TabIndex},
    pushback_view::PushbackView,
};
use crate::i18n::{Messages, fill, provide_scoped_language, text, use_messages};

/// The state while the message waits (the style sheet draws a clock); the reason and three buttons when it was not sent.
#[component]
pub(super) fn DeliveryView(
    /// The message.
    message: MessageRow,
    /// The tab index of the buttons.
    tab_index: TabIndex,
) -> impl IntoView {
    match message.delivery.clone() {
        Delivery::Stored => ().into_any(),
        Delivery::Waiting => view! { <WaitingView /> }.into_any(),
        Delivery::NotSent(reason) => view! { <NotSentView message reason tab_index /> }.into_any(),
    }
}

#[component]
fn WaitingView() -> impl IntoView {
    provide_scoped_language();
    view! {
        <span class="visually-hidden">{text(|m| m.waiting)}</span>
        <PushbackView />
    }
}

#[component]
fn NotSentView(
    /// The message.
    message: MessageRow,
    /// The reason why it was not sent.
    reason: NotSentReason,
    /// The tab index of the buttons.
    tab_index: TabIndex,
) -> impl IntoView {
    provide_scoped_language();
    let m = use_messages();
    let chat = use_chat();
    let composer = expect_context::<ComposerHandle>();
    let MessageRow { operation_id, author, text: written, .. } = message;
    let reason = move || reason_text(m.get(), &reason, &author.name);
    let try_again = move |_| operation_id.into_iter().for_each(|id| chat.try_again(id));
    let edit = move |_| {
        if let Some(id) = operation_id {
            chat.discard(id);
            composer.edit(&written);
        }
    };
    let discard = move |_| operation_id.into_iter().for_each(|id| chat.discard(id));
    view! {
        <div class="chat-message__not-sent">
            <p>
                <strong>{text(|m| m.not_sent)}</strong>
                " "
                {reason}
            </p>
            <button type="button" class="button" tabindex=tab_index.clone() on:click=try_again>
                {text(|m| m.try_again)}
            </button>
            <button type="button" class="button" tabindex=tab_index.clone() on:click=edit>
                {text(|m| m.edit)}
            </button>
            <button type="button" class="button" tabindex=tab_index on:click=discard>
                {text(|m| m.discard)}
            </button>
        </div>
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
