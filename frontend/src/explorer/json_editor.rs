//! The message as a JSON text, with line numbers and the place of its error.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlTextAreaElement;

use super::{
    json_error_text::json_error_text,
    state::Explorer,
    texts::{say, use_texts},
};
use crate::{
    calls::byte_count,
    i18n::{fill, use_language, use_messages},
};

/// The id of the editor.
const EDITOR: &str = "explorer-json";

/// Fewest lines of the editor.
const MIN_LINES: usize = 6;

/// The editor.
#[component]
pub(super) fn JsonEditor() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let json = explorer.json;
    let encoded = Memo::new(move |_| explorer.encoded());
    let lines = Memo::new(move |_| json.with(|json| json.split('\n').count()));
    let wrong_line =
        Memo::new(move |_| encoded.with(|encoded| encoded.as_ref()?.as_ref().err().map(|error| error.line)));
    let numbers = move || {
        let wrong = wrong_line.get();
        let line = |number| {
            let is_wrong = wrong == Some(number);
            view! { <span data-wrong=is_wrong.then_some("")>{number.to_string()}</span> }
        };
        (1..=lines.get()).map(line).collect_view()
    };
    view! {
        <div class="explorer-json">
            <div class="explorer-json__text">
                <div class="explorer-json__lines" aria-hidden="true">{numbers}</div>
                <textarea
                    class="explorer-json__area"
                    id=EDITOR
                    rows=move || lines.get().max(MIN_LINES).to_string()
                    wrap="off"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    dir="ltr"
                    aria-label=say(|t| t.json_label)
                    aria-invalid=move || wrong_line.get().is_some().then_some("true")
                    aria-describedby="explorer-json-error"
                    prop:value=json
                    on:input:target=move |event| json.set(event.target().value())
                ></textarea>
            </div>
        </div>
    }
}

/// The error with its place, to which it leads where the editor is shown, or the length of the message.
#[component]
pub(super) fn JsonState(
    /// Full name of the message.
    message: String,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let encoded = Memo::new(move |_| explorer.encoded());
    let t = use_texts();
    let m = use_messages();
    let language = use_language();
    let go_to = move |offset: usize| {
        let before =
            explorer.json.with_untracked(|json| json.get(..offset).unwrap_or(json).encode_utf16().count());
        let area =
            document().get_element_by_id(EDITOR).and_then(|area| area.dyn_into::<HtmlTextAreaElement>().ok());
        if let Some(area) = area {
            let place = u32::try_from(before).unwrap_or(u32::MAX);
            // A text area in the document takes the focus and a selection.
            area.focus().ok();
            area.set_selection_range(place, place).ok();
        }
    };
    let error = move || {
        let error = encoded.with(|encoded| encoded.as_ref()?.as_ref().err().cloned())?;
        let reason = json_error_text(t.get(), &error.kind);
        let (line, column) = (error.line.to_string(), error.column.to_string());
        let text = fill(t.get().json_place, &[("line", &line), ("column", &column), ("reason", &reason)]);
        let offset = error.offset;
        Some(view! {
            <button type="button" class="explorer-json__error" on:click=move |_| go_to(offset)>{text}</button>
        })
    };
    let length = move || {
        let length = encoded.with(|encoded| Some(encoded.as_ref()?.as_ref().ok()?.len()))?;
        let length = byte_count(m.get(), language.get(), length as u64);
        Some(fill(t.get().json_valid, &[("message", &message), ("bytes", &length)]))
    };
    view! {
        <div class="explorer-json__foot">
            <div>
                <div id="explorer-json-error" role="status">{error}</div>
                <p class="field__hint">{length}</p>
            </div>
            <button type="button" class="button button--quiet" on:click=move |_| explorer.reset()>
                {say(|t| t.start_again)}
            </button>
        </div>
    }
}
