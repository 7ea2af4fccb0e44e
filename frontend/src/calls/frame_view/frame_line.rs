//! The line of a frame or a message: a button that opens what it names.

use std::time::Duration;

use leptos::prelude::*;

use super::part_text::byte_count;
use crate::{
    duration_text::duration_text,
    i18n::{text, use_language, use_messages},
};

/// Characters of a message in its line. The style sheet shows as many as fit.
const PREVIEW_CHARS: usize = 160;

/// The button.
#[component]
pub(crate) fn FrameLine<N, P>(
    /// Whether the content is shown.
    is_open: RwSignal<bool>,
    /// The words for it.
    name: N,
    /// The time since the start of the call.
    elapsed: Duration,
    /// The length, bytes.
    length: u64,
    /// Whether it came compressed.
    #[prop(optional)]
    is_compressed: bool,
    /// The content in one line. Its start is shown.
    preview: P,
) -> impl IntoView
where
    N: Fn() -> String + Send + Sync + 'static,
    P: Fn() -> String + Send + Sync + 'static,
{
    let m = use_messages();
    let language = use_language();
    let elapsed = ["+", &duration_text(elapsed)].concat();
    let mark = is_compressed
        .then(|| view! { <span class="call-frame__mark">{text(|m| m.calls_compressed)}</span> " " });
    view! {
        <button
            type="button"
            class="call-frame__line"
            aria-expanded=move || is_open.get().to_string()
            on:click=move |_| is_open.update(|open| *open = !*open)
        >
            <span class="call-frame__name">{name}</span>
            " "
            <span class="call-frame__after">{elapsed}</span>
            " "
            <span class="call-frame__size">{move || byte_count(m.get(), language.get(), length)}</span>
            " "
            {mark}
            <span class="call-frame__preview">{move || preview().chars().take(PREVIEW_CHARS).collect::<String>()}</span>
        </button>
    }
}
