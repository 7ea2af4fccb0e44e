//! Metadata of a call.

use std::sync::Arc;

use leptos::prelude::*;

use super::super::metadata::{Entry, Value};
use crate::i18n::{Text, use_messages};

/// Keys and values under a title; nothing without entries.
#[component]
pub(crate) fn MetadataList(
    /// The title.
    title: Text,
    /// The entries.
    #[prop(into)]
    entries: Signal<Arc<[Entry]>>,
) -> impl IntoView {
    let m = use_messages();
    let row = move |entry: &Entry| {
        let (value, hidden) = match &entry.value {
            Value::Text(value) => (value.clone(), false),
            Value::Hidden => (m.get().calls_hidden.to_owned(), true),
        };
        view! {
            <div>
                <dt>{entry.key.clone()}</dt>
                <dd data-hidden=hidden.then_some("")>{value}</dd>
            </div>
        }
    };
    move || {
        let rows: Vec<_> = entries.get().iter().map(row).collect();
        (!rows.is_empty()).then(|| {
            view! {
                <h3>{title(m.get())}</h3>
                <dl class="metadata">{rows}</dl>
            }
        })
    }
}
