//! The composer: the field in which messages are written.

mod field;
mod length_line;

use chat_model::length::{LengthBudget, text_to_send};
use leptos::{ev, html, prelude::*};

use self::length_line::LengthLine;
use super::store::use_chat;
use crate::{
    drafts::Draft,
    i18n::{fill, text, use_messages},
    session_context::SessionContext,
};

/// The composer of one room.
#[component]
pub(crate) fn Composer(
    /// The room's id.
    room_id: String,
    /// The room's name.
    room_name: Signal<String>,
    /// Called when a message was written.
    written: Callback<()>,
) -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let element = NodeRef::<html::Textarea>::new();
    let user = expect_context::<SessionContext>().user.get_untracked().unwrap_or_default();
    let draft = StoredValue::new(Draft::new(&user.id, &room_id));
    let budget = prepare(element, draft);
    let room_id = StoredValue::new(room_id);
    let changed = move || {
        if let Some(element) = element.get_untracked() {
            let text = element.value();
            budget.set(LengthBudget::of(&text));
            draft.with_value(|draft| draft.save(&text));
            field::fit_height(&element);
        }
    };
    let send = move || {
        let Some(element) = element.get_untracked() else { return };
        let text = element.value();
        if let Some(message) = text_to_send(&text) {
            room_id.with_value(|room_id| chat.write(room_id, message));
            element.set_value("");
            changed();
            written.run(());
        }
        element.focus().ok();
    };
    let keydown = move |event: ev::KeyboardEvent| {
        if field::sends(&event) {
            event.prevent_default();
            send();
        }
    };
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        send();
    };
    let is_over = move || matches!(budget.get(), LengthBudget::Over(_));
    let placeholder = move || fill(m.get().message_to, &[("room", &room_name.get())]);
    view! {
        <form class="chat-composer" on:submit=submit>
            <LengthLine budget />
            <div class="chat-composer__box">
                <textarea
                    class="chat-composer__field"
                    rows="1"
                    aria-label=text(|m| m.message)
                    aria-describedby="composer-limit"
                    aria-invalid=move || is_over().to_string()
                    placeholder=placeholder
                    enterkeyhint="send"
                    autocomplete="off"
                    node_ref=element
                    on:input=move |_| changed()
                    on:keydown=keydown
                />
                <button class="button button--primary">{text(|m| m.send)}</button>
            </div>
        </form>
    }
}

/// Loads the draft into the field, and fits the field to its text. Returns the length budget of the text.
fn prepare(element: NodeRef<html::Textarea>, draft: StoredValue<Draft>) -> RwSignal<LengthBudget> {
    let text = draft.with_value(Draft::load);
    let budget = RwSignal::new(LengthBudget::of(&text));
    // A text that another tab has sent must not come back as a draft of this one.
    let show = move |text: String| {
        if let Some(element) = element.get_untracked().filter(|element| element.value() != text) {
            element.set_value(&text);
            budget.set(LengthBudget::of(&text));
            field::fit_height(&element);
        }
    };
    draft.with_value(|draft| draft.follow(show));
    element.on_load(move |element| {
        element.set_value(&text);
        field::fit_height(&element);
        if field::has_mouse() {
            // A field in the document takes the focus.
            element.focus().ok();
        }
    });
    // Lines break at other places when the width changes.
    let resized = window_event_listener(ev::resize, move |_| {
        element.get_untracked().iter().for_each(field::fit_height);
    });
    on_cleanup(move || resized.remove());
    budget
}
