//! The cards of the two kinds of call that a browser's `fetch` cannot make: the reason, and a command that makes the call natively.

use leptos::prelude::*;

use super::card_title::CardTitle;
use crate::{
    api::native_origin,
    calls::{CodeToCopy, native_command},
    i18n::{Text, text as localized},
};

/// The messages of the command. Any number may follow each other.
const EXAMPLE: &str = r#"{"name":"Ada"} {"name":"Grace"} {"name":"Edsger"}"#;

#[component]
pub(super) fn NativeCard(
    /// The method's name.
    method: &'static str,
    /// The kind of call.
    mode: Text,
    /// The description.
    text: Text,
) -> impl IntoView {
    let path = ["helloworld.Greeter/", method].concat();
    let command = native_command(&path, EXAMPLE, &native_origin());
    view! {
        <section class="card card--native">
            <CardTitle method mode text />
            <p class="card__needs">{localized(|m| m.mode_needs)}</p>
            <CodeToCopy text=command />
        </section>
    }
}
