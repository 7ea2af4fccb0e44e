//! The composer as other parts of the room know it.

use leptos::{html, prelude::*};

/// The composer of the room. All copies are the same composer.
#[derive(Clone, Copy)]
pub(crate) struct ComposerHandle {
    pub(super) element: NodeRef<html::Textarea>,
    /// A text that has to be put into the field.
    edited: RwSignal<Option<String>>,
}

impl ComposerHandle {
    /// A composer that is not drawn yet.
    pub(crate) fn new() -> ComposerHandle {
        ComposerHandle { element: NodeRef::new(), edited: RwSignal::new(None) }
    }

    /// Moves the focus to the field.
    pub(crate) fn focus(self) {
        if let Some(element) = self.element.get_untracked() {
            // A field in the document takes the focus.
            element.focus().ok();
        }
    }

    /// Puts a text before the one in the field, and moves the focus there.
    pub(crate) fn edit(self, text: &str) {
        self.edited.set(Some(text.to_owned()));
    }

    /// Calls `changed` after a text was put into the field.
    pub(super) fn on_edit(self, changed: impl Fn() + 'static) {
        Effect::new(move |_| {
            let Some(mut text) = self.edited.get() else { return };
            let Some(element) = self.element.get_untracked() else { return };
            self.edited.set(None);
            let written = element.value();
            if !written.trim().is_empty() {
                text.push('\n');
                text.push_str(&written);
            }
            element.set_value(&text);
            changed();
            self.focus();
        });
    }
}
