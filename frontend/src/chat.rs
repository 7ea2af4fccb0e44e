//! The chat's page.

use leptos::prelude::*;

/// The chat.
#[component]
pub fn ChatPage() -> impl IntoView {}
