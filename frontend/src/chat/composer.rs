//! The composer: the field in which messages are written.

mod field;
mod handle;
mod length_line;

use chat_model::length::{LengthBudget, text_to_send};
use leptos::{ev, prelude::*};

use self::{field::Enter, length_line::LengthLine};
pub(crate) use self::{field::is_typing, handle::ComposerHandle};
use super::store::use_chat;
use crate::{
    drafts::Draft,
    file_drop::{RefusedFiles, is_files_only},
    i18n::{fill, text, use_messages},
    session_context::SessionContext,
};

/// The composer of one room.
#[component]
pub(crate) fn Composer(
    /// Moves the focus to the field, and texts into it.
    handle: ComposerHandle,
    /// The room's id.
    room_id: String,
    /// The room's name.
    room_name: Signal<String>,
    /// Called when a message was written.
    written: Callback<()>,
) -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let refused = expect_context::<RefusedFiles>();
    let element = handle.element;
    let user = expect_context::<SessionContext>().user.get_untracked().unwrap_or_default();
    let draft = StoredValue::new(Draft::new(&user.id, &room_id));
    let budget = prepare(handle, draft);
    let has_refused_file = refused_file(refused);
    let room_id = StoredValue::new(room_id);
    let changed = move || {
        if let Some(element) = element.get_untracked() {
            let text = element.value();
            budget.set(LengthBudget::of(&text));
            has_refused_file.set(false);
            draft.with_value(|draft| draft.save(&text));
            field::fit_height(&element);
        }
    };
    handle.on_edit(changed);
    let send = move || {
        let Some(element) = element.get_untracked() else { return };
        if let Some(message) = text_to_send(&element.value()) {
            room_id.with_value(|room_id| chat.write(room_id, &message));
            element.set_value("");
            changed();
            written.run(());
        }
        element.focus().ok();
    };
    let keydown = move |event: ev::KeyboardEvent| {
        if Enter::of(&event) == Some(Enter::Sends) {
            event.prevent_default();
            send();
        }
    };
    let is_over = move || matches!(budget.get(), LengthBudget::Over(_));
    let placeholder = move || fill(m.get().message_to, &[("room", &room_name.get())]);
    view! {
        <form
            class="chat-composer"
            on:submit=move |event| {
                event.prevent_default();
                send();
            }
        >
            <LengthLine budget has_refused_file />
            <div class="chat-composer__box">
                <textarea
                    class="chat-composer__field"
                    rows="1"
                    dir="auto"
                    aria-label=text(|m| m.message)
                    aria-describedby="composer-limit"
                    aria-invalid=move || is_over().to_string()
                    placeholder=placeholder
                    enterkeyhint=if field::has_touch() { "enter" } else { "send" }
                    autocomplete="off"
                    node_ref=element
                    on:input=move |_| changed()
                    on:keydown=keydown
                    on:paste=move |event| refuse_files(&event, refused)
                />
                <button class="button button--primary">{text(|m| m.send)}</button>
            </div>
        </form>
    }
}

/// Loads the draft into the field, and fits the field to its text. Returns the length budget of the text.
fn prepare(handle: ComposerHandle, draft: StoredValue<Draft>) -> RwSignal<LengthBudget> {
    let element = handle.element;
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

/// Whether a file was refused since the text changed last.
fn refused_file(refused: RefusedFiles) -> RwSignal<bool> {
    let has_refused_file = RwSignal::new(false);
    Effect::new(move |before: Option<u32>| {
        let count = refused.count();
        if before.is_some_and(|before| before != count) {
            has_refused_file.set(true);
        }
        count
    });
    has_refused_file
}

/// Refuses a paste that has files and no text.
fn refuse_files(event: &ev::ClipboardEvent, refused: RefusedFiles) {
    if is_files_only(event) {
        event.prevent_default();
        refused.refuse();
    }
}
