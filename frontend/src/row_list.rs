//! A keyed list of rows that come and go for as long as the page is open.

use std::hash::Hash;

use leptos::{
    prelude::*,
    tachys::{
        reactive_graph::OwnedView,
        view::keyed::{SerializableKey, keyed},
    },
};

/// Rows of one owner.
const BATCH: usize = 64;

/// Draws a row for each item, as leptos' `<For>` does, whose owner remembers each of its rows, about 70 bytes, until it goes itself. Here each
/// batch of rows has an owner, which goes with the last of them.
#[component]
pub(crate) fn RowList<I, T, N, K>(
    /// The items.
    each: impl Fn() -> I + Send + 'static,
    /// The key of an item. A row with the same key stays.
    key: impl Fn(&T) -> K + Send + Clone + 'static,
    /// Draws an item.
    children: impl Fn(T) -> N + Send + Clone + 'static,
) -> impl IntoView
where
    I: IntoIterator<Item = T> + Send + 'static,
    T: Send + 'static,
    N: IntoView + 'static,
    K: Eq + Hash + SerializableKey + 'static,
{
    // A component has an owner.
    let parent = Owner::current().unwrap_or_default();
    let batch = StoredValue::new((parent.with(Owner::new), 0));
    let children = move |_, item| {
        let batch = next_row(&parent, batch);
        let owner = batch.with(Owner::new);
        let view = owner.with(|| {
            on_cleanup(move || drop(batch));
            children(item)
        });
        (drop, OwnedView::new_with_owner(view, owner))
    };
    move || keyed(each(), key.clone(), children.clone())
}

/// The owner of the next row's batch.
fn next_row(parent: &Owner, batch: StoredValue<(Owner, usize)>) -> Owner {
    let next = batch.try_update_value(|(owner, rows)| {
        if *rows == BATCH {
            (*owner, *rows) = (parent.with(Owner::new), 0);
        }
        *rows += 1;
        owner.clone()
    });
    next.unwrap_or_else(|| parent.clone())
}
