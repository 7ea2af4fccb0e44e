//! A command for a shell, with a button that copies it.

use leptos::prelude::*;

use crate::copy_button::CopyButton;

/// The command and the button.
#[component]
pub(crate) fn CodeToCopy(
    /// The command.
    text: String,
) -> impl IntoView {
    view! {
        <div class="code-to-copy">
            <pre class="code" tabindex="0">{text.clone()}</pre>
            <CopyButton text />
        </div>
    }
}
