//! Icons: strokes in the colour of the text beside them. They are never the only label, so assistive technology ignores them.

use leptos::prelude::*;

/// The icons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IconKind {
    /// The product's mark: a bubble with a tail.
    Mark,
    /// Two arrows, left and right.
    Calls,
    /// A person.
    Person,
    /// A cross.
    Close,
    /// Two sheets.
    Copy,
    /// An arrow to the left.
    Back,
    /// A plus.
    Add,
    /// An arrow down.
    Down,
    /// An arrow up.
    Up,
    /// A hash, before a room's name.
    Room,
    /// A tick.
    Done,
    /// Two links of a chain.
    Link,
    /// A line before two others: a quotation.
    Quote,
}

impl IconKind {
    fn strokes(self) -> &'static str {
        match self {
            IconKind::Mark => "M2.5 3h11v7.5H8L5 13v-2.5H2.5z",
            IconKind::Calls => "M2.5 5.5h10m-3-3 3 3-3 3M13.5 10.5h-10m3-3-3 3 3 3",
            IconKind::Person => {
                "M8 8a2.75 2.75 0 1 0 0-5.5A2.75 2.75 0 0 0 8 8Zm-5.5 5.5c.7-2.3 2.8-3.5 5.5-3.5s4.8 1.2 5.5 3.5"
            }
            IconKind::Close => "m3.5 3.5 9 9m0-9-9 9",
            IconKind::Copy => "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
            IconKind::Back => "M9.5 3 4.5 8l5 5",
            IconKind::Add => "M8 3v10M3 8h10",
            IconKind::Down => "M8 3v10m-4-4 4 4 4-4",
            IconKind::Up => "M8 13V3M4 7l4-4 4 4",
            IconKind::Room => "M6.5 2.5 5 13.5m6-11-1.5 11M3 6h10.5M2.5 10H13",
            IconKind::Done => "m3 8.5 3.25 3.25L13 5",
            IconKind::Link => {
                "M6.5 9.5 9.5 6.5M7.5 4.75l1.4-1.4a2.6 2.6 0 0 1 3.7 3.7l-1.4 1.4M8.5 11.25l-1.4 1.4a2.6 2.6 0 0 1-3.7-3.7l1.4-1.4"
            }
            IconKind::Quote => "M3 3.5v9M6.5 5.5h7M6.5 10.5h5",
        }
    }
}

/// An icon of the size of the text beside it.
#[component]
pub(crate) fn Icon(
    /// The icon.
    kind: IconKind,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d=kind.strokes() />
        </svg>
    }
}
