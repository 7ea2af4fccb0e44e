//! The chat's page.

mod connection;
mod drafts;
mod outbox;
mod outbox_store;
mod rows;
mod state;
mod text;
mod window;

use leptos::prelude::*;

/// The chat.
#[component]
pub fn ChatPage() -> impl IntoView {}
