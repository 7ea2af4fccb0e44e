//! Where messages are written.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast;

use super::{drafts, store::use_chat};
use crate::i18n::{fill, plural, text, use_messages};

/// See `SendMessageRequest.text`. Counted in Unicode scalar values.
const TEXT_MAX: usize = proto::limits::chat::MAX_MESSAGE_CHARS;

/// How near the limit the characters that are left are counted down.
const COUNT_FROM: usize = 200;

/// The key code that browsers give while an input method composes.
const COMPOSING_KEY: u32 = 229;

/// What the limit says about a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Plenty,
    Left(usize),
    TooLong(usize),
}

fn room_for(text: &str) -> Room {
    // Every scalar value is at least a byte, so most texts need no counting.
    if text.len() <= TEXT_MAX - COUNT_FROM {
        return Room::Plenty;
    }
    match text.chars().count() {
        length if length > TEXT_MAX => Room::TooLong(length - TEXT_MAX),
        length if length > TEXT_MAX - COUNT_FROM => Room::Left(TEXT_MAX - length),
        _ => Room::Plenty,
    }
}

/// What is sent: without the blank lines around, which were not meant.
fn to_send(text: &str) -> Option<&str> {
    let text = text.trim_matches(['\n', '\r']).trim_end();
    (!text.trim().is_empty()).then_some(text)
}

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
    let field = NodeRef::<html::Textarea>::new();
    let draft = drafts::load(&room_id);
    let room = RwSignal::new(room_for(&draft));
    field.on_load(move |field| {
        field.set_value(&draft);
        fit(&field);
        if is_mouse_near() {
            // A field in the page takes the focus.
            field.focus().ok();
        }
    });
    // Lines break elsewhere where the page becomes wider or narrower.
    let resized = window_event_listener(ev::resize, move |_| field.get_untracked().iter().for_each(fit));
    on_cleanup(move || resized.remove());
    let room_id = StoredValue::new(room_id);
    let changed = move || {
        if let Some(field) = field.get_untracked() {
            let text = field.value();
            room.set(room_for(&text));
            room_id.with_value(|room_id| drafts::keep(room_id, &text));
            fit(&field);
        }
    };
    let send = move || {
        let Some(field) = field.get_untracked() else { return };
        let text = field.value();
        let Some(message) = to_send(&text).filter(|text| !matches!(room_for(text), Room::TooLong(_))) else {
            field.focus().ok();
            return;
        };
        room_id.with_value(|room_id| chat.write(room_id, message));
        field.set_value("");
        changed();
        field.focus().ok();
        written.run(());
    };
    let keydown = move |event: ev::KeyboardEvent| {
        let composing = event.is_composing() || event.key_code() == COMPOSING_KEY;
        let modified = event.shift_key() || event.alt_key() || event.ctrl_key() || event.meta_key();
        if event.key() == "Enter" && !composing && !modified {
            event.prevent_default();
            send();
        }
    };
    let too_long = move || matches!(room.get(), Room::TooLong(_));
    let limit = move || {
        let m = m.get();
        match room.get() {
            Room::Plenty => String::new(),
            Room::Left(left) => plural(left as u64, m.characters_left_one, m.characters_left_other),
            Room::TooLong(over) => plural(over as u64, m.too_long_one, m.too_long_other),
        }
    };
    let placeholder = move || fill(m.get().message_to, &[("room", &room_name.get())]);
    view! {
        <form
            class="chat-composer"
            on:submit=move |event| {
                event.prevent_default();
                send();
            }
        >
            // Reserved for who is typing, so that nothing jumps.
            <p class="chat-composer__limit" id="composer-limit" aria-live="polite" data-over=move || too_long().then_some("")>
                {limit}
            </p>
            <div class="chat-composer__box">
                <textarea
                    class="chat-composer__field"
                    rows="1"
                    aria-label=text(|m| m.message)
                    aria-describedby="composer-limit"
                    aria-invalid=move || too_long().to_string()
                    placeholder=placeholder
                    enterkeyhint="send"
                    autocomplete="off"
                    node_ref=field
                    on:input=move |_| changed()
                    on:keydown=keydown
                />
                <button class="button button--primary">{text(|m| m.send)}</button>
            </div>
        </form>
    }
}

/// Makes the field as high as its text; the style sheet has the limit. While the text is measured the
/// box around keeps its height: the list above must not grow, not even for that moment, or its end goes
/// out of view.
fn fit(field: &web_sys::HtmlTextAreaElement) {
    let around = field.parent_element().and_then(|around| around.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(around) = &around {
        set_height(around, &[&around.offset_height().to_string(), "px"].concat());
    }
    set_height(field, "auto");
    // Empty, it has one line, however long the placeholder is.
    if !field.value().is_empty() {
        let height = field.scroll_height() + field.offset_height() - field.client_height();
        set_height(field, &[&height.to_string(), "px"].concat());
    }
    if let Some(around) = &around {
        set_height(around, "auto");
    }
}

fn set_height(element: &web_sys::HtmlElement, height: &str) {
    // Setting a known property does not fail.
    web_sys::HtmlElement::style(element).set_property("block-size", height).ok();
}

/// Whether taking the focus brings no on-screen keyboard with it.
fn is_mouse_near() -> bool {
    window().match_media("(pointer: fine)").ok().flatten().is_some_and(|query| query.matches())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_counted_in_scalar_values_and_only_near_it() {
        assert_eq!(room_for(""), Room::Plenty);
        assert_eq!(room_for(&"é".repeat(3_800)), Room::Plenty);
        assert_eq!(room_for(&"é".repeat(3_801)), Room::Left(199));
        assert_eq!(room_for(&"🦀".repeat(4_000)), Room::Left(0));
        assert_eq!(room_for(&"🦀".repeat(4_001)), Room::TooLong(1));
    }

    #[test]
    fn blank_lines_around_a_message_are_not_sent_and_blank_messages_not_at_all() {
        assert_eq!(to_send("\n\n  a\n b  \n\n"), Some("  a\n b"));
        assert_eq!(to_send("hello"), Some("hello"));
        assert_eq!(to_send(" \n\t "), None);
        assert_eq!(to_send(""), None);
    }
}
