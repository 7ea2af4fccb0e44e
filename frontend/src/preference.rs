//! A choice of the person that is stored in the browser and set as an attribute of the root element.

use leptos::{ev, prelude::*};

use crate::storage;

/// A signal of the choice. Each value is set as the root element's `attribute`; a change is stored under `key` as a `word`, from
/// which other tabs `read` it, unless the value `is_chosen` by nobody.
pub(crate) fn preference<T>(
    key: &'static str,
    attribute: &'static str,
    initial: T,
    word: fn(T) -> &'static str,
    read: fn(&str) -> Option<T>,
    is_chosen: impl Fn(T) -> bool + 'static,
) -> RwSignal<T>
where
    T: Copy + PartialEq + Send + Sync + 'static,
{
    let choice = RwSignal::new(initial);
    Effect::new(move |previous: Option<T>| {
        let choice = choice.get();
        if let Some(root) = document().document_element() {
            // Setting an attribute with a valid name does not fail.
            root.set_attribute(attribute, word(choice)).ok();
        }
        // The initial value may be the browser's, which is not stored, so that the page follows it.
        if previous.unwrap_or(initial) != choice && is_chosen(choice) {
            storage::set(key, word(choice));
        }
        choice
    });
    // A choice in another tab is followed.
    let listener = window_event_listener(ev::storage, move |event| {
        let other = event.new_value().filter(|_| storage::changed_key(&event).as_deref() == Some(key));
        if let Some(other) = other.and_then(|word| read(&word)) {
            choice.set(other);
        }
    });
    on_cleanup(move || listener.remove());
    choice
}
