//! A block of code in a message.

use leptos::prelude::*;

use super::TabIndex;
use crate::{
    clipboard,
    i18n::{provide_scoped_language, text, use_messages},
    icon::{Icon, IconKind},
};

/// The code with its language, and a button that copies it.
#[component]
pub(super) fn CodeBlock(
    /// The language; often empty.
    language: String,
    /// The code.
    code: String,
    /// The tab index of the button, and of the code, which scrolls where it is wide.
    tab_index: TabIndex,
) -> impl IntoView {
    provide_scoped_language();
    let m = use_messages();
    let copied = RwSignal::new(false);
    let shown = code.clone();
    view! {
        <div class="chat-code" dir="ltr">
            <div class="chat-code__head">{language}</div>
            <button
                type="button"
                class="button button--icon"
                aria-label=text(|m| m.copy_code)
                title=text(|m| m.copy_code)
                tabindex=tab_index.clone()
                on:click=move |_| clipboard::copy(&code, copied)
            >
                {move || {
                    let kind = if copied.get() { IconKind::Done } else { IconKind::Copy };
                    view! { <Icon kind /> }
                }}
            </button>
            <span class="visually-hidden" aria-live="polite">
                {move || copied.get().then(|| m.get().copied)}
            </span>
            <pre tabindex=move || tab_index.get().unwrap_or("0")><code>{shown}</code></pre>
        </div>
    }
}
