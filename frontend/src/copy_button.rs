//! A button that copies a text.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

use crate::{
    i18n::text,
    icon::{Icon, IconKind},
};

/// Time for which the button shows that the text was copied.
const COPIED_SHOWN: Duration = Duration::from_secs(2);

/// The button.
#[component]
pub(crate) fn CopyButton(
    /// The text.
    text: String,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let labels = (self::text(|m| m.copied), self::text(|m| m.copy));
    let copy = move |_| {
        let written = window().navigator().clipboard().write_text(&text);
        spawn_local(async move {
            // Where the browser forbids copying, the text can still be selected.
            if wasm_bindgen_futures::JsFuture::from(written).await.is_ok() {
                copied.try_set(true);
                tonic_web_channel::rt::sleep(COPIED_SHOWN).await;
                copied.try_set(false);
            }
        });
    };
    view! {
        <button type="button" class="button" on:click=copy>
            {move || {
                let kind = if copied.get() { IconKind::Done } else { IconKind::Copy };
                view! { <Icon kind /> }
            }}
            <span aria-live="polite">{move || if copied.get() { labels.0.get() } else { labels.1.get() }}</span>
        </button>
    }
}
