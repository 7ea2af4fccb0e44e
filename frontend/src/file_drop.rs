//! Files that are dropped or pasted. Nothing takes files yet: they are refused, and the browser does not leave the page for them.

use leptos::{ev, prelude::*};
use web_sys::DataTransfer;

/// Counts the files that were refused, so that the page can say so.
#[derive(Clone, Copy)]
pub(crate) struct RefusedFiles(RwSignal<u32>);

impl RefusedFiles {
    /// The number of refusals.
    pub(crate) fn count(self) -> u32 {
        self.0.get()
    }

    /// Refuses a file.
    pub(crate) fn refuse(self) {
        self.0.update(|count| *count = count.wrapping_add(1));
    }
}

/// Refuses files that are dropped anywhere. Call once, in the application's root.
pub(crate) fn provide_file_drop() {
    let refused = RefusedFiles(RwSignal::new(0));
    provide_context(refused);
    let over = window_event_listener(ev::dragover, |event| {
        if event.data_transfer().is_some_and(|data| has_files(&data)) {
            event.prevent_default();
        }
    });
    let drop = window_event_listener(ev::drop, move |event| {
        if event.data_transfer().is_some_and(|data| has_files(&data)) {
            event.prevent_default();
            refused.refuse();
        }
    });
    on_cleanup(move || {
        over.remove();
        drop.remove();
    });
}

/// Whether a paste has files and no text. Spreadsheets offer a picture beside their text.
pub(crate) fn is_files_only(event: &ev::ClipboardEvent) -> bool {
    event.clipboard_data().is_some_and(|data| has_files(&data) && !has_type(&data, "text/plain"))
}

fn has_files(data: &DataTransfer) -> bool {
    has_type(data, "Files")
}

fn has_type(data: &DataTransfer, wanted: &str) -> bool {
    data.types().includes(&wanted.into(), 0)
}
