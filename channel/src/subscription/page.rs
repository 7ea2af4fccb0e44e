//! What the browser says: whether there is a network, and that the page woke.

use std::sync::Arc;

use js_sys::{Reflect, global};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::EventTarget;

use super::handle::Shared;

/// The first two say that the network came or went; the others that the page was away, so that its
/// connection may have died unnoticed. All of them arrive at the global object, in a worker too.
const EVENTS: [&str; 4] = ["online", "offline", "visibilitychange", "pageshow"];

/// Listens for as long as it is kept.
pub(super) struct PageEvents {
    target: EventTarget,
    listener: Closure<dyn Fn()>,
}

impl PageEvents {
    /// Tells the subscription how it is, and then what happens.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.set_online(is_online());
        let listener = Closure::<dyn Fn()>::new(move || {
            let online = is_online();
            shared.set_online(online);
            // Timers of a hidden page are slow anyway; it is asked about when somebody looks.
            if online && !is_hidden() {
                shared.wish(|wishes| wishes.wake = true);
            }
        });
        let target: EventTarget = global().unchecked_into();
        for event in EVENTS {
            // Fails for no listener that is a function.
            target.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref()).ok();
        }
        Self { target, listener }
    }
}

impl Drop for PageEvents {
    fn drop(&mut self) {
        for event in EVENTS {
            self.target
                .remove_event_listener_with_callback(event, self.listener.as_ref().unchecked_ref())
                .ok();
        }
    }
}

/// A browser that says nothing has a network.
fn is_online() -> bool {
    property("navigator", "onLine") != Some(JsValue::FALSE)
}

/// A worker has no document and is never hidden.
fn is_hidden() -> bool {
    property("document", "hidden") == Some(JsValue::TRUE)
}

fn property(object: &str, name: &str) -> Option<JsValue> {
    let object = Reflect::get(&global(), &object.into()).ok()?;
    Reflect::get(&object, &name.into()).ok()
}
