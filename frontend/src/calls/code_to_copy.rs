//! A command for a shell, with a button that copies it.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

use crate::{
    i18n::Messages,
    icon::{Icon, IconKind},
};

/// Time for which the button shows that the text was copied.
const COPIED_SHOWN: Duration = Duration::from_secs(2);

/// The command and the button.
#[component]
pub(crate) fn CodeToCopy(
    /// The command.
    text: String,
    /// The page's texts.
    m: &'static Messages,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let for_clipboard = text.clone();
    let copy = move |_| {
        let written = window().navigator().clipboard().write_text(&for_clipboard);
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
        <div class="code-to-copy">
            <pre class="code" tabindex="0">{text}</pre>
            <button type="button" class="button" on:click=copy>
                {move || {
                    let kind = if copied.get() { IconKind::Done } else { IconKind::Copy };
                    view! { <Icon kind /> }
                }}
                <span aria-live="polite">{move || if copied.get() { m.copied } else { m.copy }}</span>
            </button>
        </div>
    }
}
