//! A button that copies a text.

use leptos::prelude::*;

use crate::{
    clipboard,
    i18n::{self, Text},
    icon::{Icon, IconKind},
};

/// The button.
#[component]
pub(crate) fn CopyButton(
    /// The text.
    text: String,
    /// The label.
    #[prop(default = |m| m.copy)]
    label: Text,
    /// The icon.
    #[prop(default = IconKind::Copy)]
    kind: IconKind,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let labels = (i18n::text(|m| m.copied), i18n::text(label));
    view! {
        <button type="button" class="button" on:click=move |_| clipboard::copy(&text, copied)>
            {move || {
                let kind = if copied.get() { IconKind::Done } else { kind };
                view! { <Icon kind /> }
            }}
            <span aria-live="polite">{move || if copied.get() { labels.0.get() } else { labels.1.get() }}</span>
        </button>
    }
}
