//! The cards of the two kinds of call that a browser's `fetch` cannot carry: what they need, and the
//! line that makes them natively.

use leptos::prelude::*;

use super::CardTitle;
use crate::{
    calls::{CodeToCopy, native_command},
    i18n::{Text, text as words, use_messages},
};

/// What the line sends: as many messages as one likes, one JSON object after the other.
const EXAMPLE: &str = r#"{"name":"Ada"} {"name":"Grace"} {"name":"Edsger"}"#;

#[component]
pub(super) fn NativeCard(
    /// The method's name.
    method: &'static str,
    /// The kind of call.
    mode: Text,
    /// What it does.
    text: Text,
) -> impl IntoView {
    let m = use_messages();
    let path = ["helloworld.Greeter/", method].concat();
    let command = native_command(&path, EXAMPLE, &crate::api::native_origin());
    view! {
        <section class="card card--native">
            <CardTitle method mode text />
            <p class="card__needs">{words(|m| m.mode_needs)}</p>
            {move || view! { <CodeToCopy text=command.clone() m=m.get() /> }}
        </section>
    }
}
