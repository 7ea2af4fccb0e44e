//! The focus never falls to the document: where the focused element is removed, the nearest element around it that takes the focus
//! gets it.

use std::cell::RefCell;

use leptos::{ev, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, HtmlElement, MutationObserver, MutationObserverInit};

thread_local! {
    /// The element that had the focus last, and those around it, from the inside out.
    static PATH: RefCell<Vec<Element>> = const { RefCell::new(Vec::new()) };
}

/// Watches the focus as long as the page lives. Call once, in the application's root.
pub(crate) fn guard_focus() {
    std::mem::forget(window_event_listener(ev::focusin, |event| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let path = std::iter::successors(target, |element| element.parent_element()).collect();
        PATH.with(|known| *known.borrow_mut() = path);
    }));
    let check = Closure::<dyn Fn()>::new(|| {
        let is_removed =
            PATH.with(|path| path.borrow().first().is_some_and(|element| !element.is_connected()));
        if is_removed && is_lost() {
            recover();
        }
    });
    if let (Ok(observer), Some(body)) =
        (MutationObserver::new(check.as_ref().unchecked_ref()), document().body())
    {
        let options = MutationObserverInit::new();
        options.set_child_list(true);
        options.set_subtree(true);
        // Observing an element with these options does not fail.
        observer.observe_with_options(&body, &options).ok();
    }
    check.forget();
}

/// Focuses the first element that matches a selector.
pub(crate) fn focus(selector: &str) {
    let found = document().query_selector(selector).ok().flatten();
    if let Some(element) = found.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        // An element that does not take the focus ignores this.
        element.focus().ok();
    }
}

/// Whether nothing that can be seen has the focus.
pub(crate) fn is_lost() -> bool {
    let focused = document().active_element().and_then(|element| element.dyn_into::<HtmlElement>().ok());
    focused.is_none_or(|element| element.tag_name() == "BODY" || element.get_client_rects().length() == 0)
}

fn recover() {
    // Focusing changes the path.
    let path = PATH.with(RefCell::take);
    let remaining = path.into_iter().filter(|element| element.is_connected());
    for element in remaining {
        // Of a form, its own button remains: a button that cancels goes away with the call.
        let button = element.query_selector(":scope:is(form) button:not([type=button])").ok().flatten();
        if let Ok(element) = button.unwrap_or(element).dyn_into::<HtmlElement>() {
            // Elements that do not take the focus ignore this.
            element.focus().ok();
        }
        if !is_lost() {
            return;
        }
    }
}
