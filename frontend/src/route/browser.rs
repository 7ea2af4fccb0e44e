//! The current route as a signal, in step with the browser's history.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

use super::Route;
use crate::base::{base_path, origin};

thread_local! {
    // Not a context, so that tasks that outlive their component can navigate.
    static CURRENT: ArcRwSignal<Route> = ArcRwSignal::new(Route::Home);
}

impl Route {
    /// The route's path in the address: the base path, and the path below it.
    pub(crate) fn address(&self) -> String {
        [base_path().trim_end_matches('/'), &self.path()].concat()
    }

    /// The route of an address with this path; `None` outside of the base path.
    fn of_address(path: &str) -> Option<Route> {
        path.strip_prefix(&base_path()).map(Route::parse)
    }
}

/// The current route.
pub(crate) fn use_route() -> Signal<Route> {
    CURRENT.with(|current| current.clone().into())
}

/// Goes to a route: as a new entry of the history, or with `replace` in place of the current one.
pub(crate) fn navigate(route: &Route, replace: bool) {
    let address = route.address();
    if let Ok(history) = window().history() {
        let nothing = wasm_bindgen::JsValue::NULL;
        let moved = match replace {
            true => history.replace_state_with_url(&nothing, "", Some(&address)),
            false => history.push_state_with_url(&nothing, "", Some(&address)),
        };
        // Browsers refuse only too many entries in a short time; the route is shown all the same.
        moved.ok();
    }
    show(route.clone());
}

/// The whole address of a room or of one of its messages, to be copied.
pub(crate) fn room_link(room_id: &str, seq: Option<u64>) -> String {
    [origin(), Route::Room { id: room_id.to_owned(), seq }.address()].concat()
}

/// Shows the route of the address, and follows later changes and links. Call once, in the application's root.
pub(crate) fn provide_route() {
    show_address();
    let popstate = window_event_listener(ev::popstate, |_| show_address());
    let click = document_click_listener();
    on_cleanup(move || {
        popstate.remove();
        click.remove();
    });
}

fn document_click_listener() -> WindowListenerHandle {
    window_event_listener(ev::click, |event| {
        if let Some(route) = linked_route(&event) {
            event.prevent_default();
            let stays = CURRENT.with(|current| current.get_untracked() == route);
            navigate(&route, stays);
        }
    })
}

/// The route of the link that was clicked; `None` when the browser handles the click.
fn linked_route(event: &web_sys::MouseEvent) -> Option<Route> {
    let plain = event.button() == 0
        && !(event.meta_key() || event.ctrl_key() || event.shift_key() || event.alt_key());
    if !plain || event.default_prevented() {
        return None;
    }
    let element = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    let link = element.closest("a[href]").ok()??.dyn_into::<web_sys::HtmlAnchorElement>().ok()?;
    let for_browser = link.has_attribute("download")
        || !matches!(link.target().as_str(), "" | "_self")
        || !link.hash().is_empty()
        || !link.search().is_empty()
        || link.origin() != origin();
    if for_browser {
        return None;
    }
    Route::of_address(&link.pathname()).filter(|route| *route != Route::NotFound)
}

fn show_address() {
    let path = window().location().pathname().unwrap_or_default();
    show(Route::of_address(&path).unwrap_or(Route::NotFound));
}

fn show(route: Route) {
    CURRENT.with(|current| {
        if current.get_untracked() != route {
            current.set(route);
        }
    });
}
