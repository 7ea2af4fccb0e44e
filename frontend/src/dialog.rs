//! A modal dialog: the browser's own `<dialog>`, which traps the focus, closes by Escape and gives the focus back.

use leptos::{html, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast as _;

use crate::chunk::Part;

/// Opens and closes a dialog. All copies are the same dialog.
#[derive(Clone, Copy)]
pub(crate) struct DialogHandle {
    element: NodeRef<html::Dialog>,
    is_open: RwSignal<bool>,
    part: Option<Part>,
}

impl DialogHandle {
    pub(crate) fn new() -> DialogHandle {
        DialogHandle { element: NodeRef::new(), is_open: RwSignal::new(false), part: None }
    }

    /// A dialog that shows `part`, which is loaded before it opens.
    pub(crate) fn with_part(part: Part) -> DialogHandle {
        DialogHandle { part: Some(part), ..DialogHandle::new() }
    }

    /// Opens the dialog over everything else.
    pub(crate) fn open(self) {
        if self.element.get_untracked().is_none_or(|element| element.open()) {
            return;
        }
        spawn_local(async move {
            if let Some(part) = self.part {
                // The dialog says that it could not be loaded.
                part.load().await.ok();
            }
            self.is_open.try_set(true);
            // The content is drawn first, so that the browser focuses its first field or button.
            leptos::task::tick().await;
            if let Some(element) = self.element.try_get_untracked().flatten() {
                close_menus();
                // It fails only for a dialog that is open or not in the document.
                element.show_modal().ok();
            }
        });
    }

    pub(crate) fn close(self) {
        // The caller may outlive the dialog.
        if let Some(element) = self.element.try_get_untracked().flatten() {
            element.close();
        }
    }

    pub(crate) fn toggle(self) {
        match self.is_open.get_untracked() {
            true => self.close(),
            false => self.open(),
        }
    }
}

/// Closes open menus, which give the focus back to their buttons. A dialog would close them, too, and later give the focus to an element
/// inside that is hidden then.
fn close_menus() {
    // A browser that does not know popovers has none open.
    let menu = document().query_selector(":popover-open").ok().flatten();
    if let Some(menu) = menu.and_then(|menu| menu.dyn_into::<web_sys::HtmlElement>().ok()) {
        // It fails only for a popover that is hidden.
        menu.hide_popover().ok();
    }
}

/// The dialog. Its content is made anew each time it opens.
#[component]
pub(crate) fn Dialog(
    /// Opens and closes it.
    handle: DialogHandle,
    /// Its classes.
    #[prop(default = "dialog")]
    class: &'static str,
    /// Its accessible name.
    label: Signal<&'static str>,
    /// Its content, with the handle as a context.
    children: ChildrenFn,
) -> impl IntoView {
    view! {
        <dialog
            class=class
            aria-label=label
            node_ref=handle.element
            on:close=move |_| handle.is_open.set(false)
        >
            <Show when=move || handle.is_open.get() fallback=|| ()>
                {provide_context(handle)}
                {children()}
            </Show>
        </dialog>
    }
}
