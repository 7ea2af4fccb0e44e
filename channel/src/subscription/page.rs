//! What the browser says: whether there is a network, and that the page woke.

use std::sync::Arc;

use js_sys::global;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::EventTarget;

use super::handle::Shared;
use crate::js::{get, of_global};

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
    get(&of_global("navigator"), "onLine") != JsValue::FALSE
}

/// A worker has no document and is never hidden.
fn is_hidden() -> bool {
    get(&of_global("document"), "hidden") == JsValue::TRUE
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use futures_util::future::{Either, select};
    use futures_util::{Stream, StreamExt as _, stream};
    use js_sys::{Function, Object};
    use tonic::{Response, Status};
    use wasm_bindgen_test::wasm_bindgen_test;

    use crate::js::{call, object};
    use crate::{NextAttempt, State, Subscription, SubscriptionOptions, Update};

    use super::*;

    fn dispatch(target: &JsValue, name: &str) {
        let event = js_sys::Reflect::construct(
            of_global("Event").unchecked_ref::<Function>(),
            &js_sys::Array::of2(&name.into(), &object([("bubbles", true.into())])),
        );
        call(target, "dispatchEvent", [&event.unwrap(), &JsValue::UNDEFINED]).unwrap();
    }

    /// What the browser says of its network from now on.
    fn say_online(online: bool) {
        let property = object([("value", online.into()), ("configurable", true.into())]);
        let navigator: Object = of_global("navigator").unchecked_into();
        Object::define_property(&navigator, &"onLine".into(), &property);
        dispatch(&global(), if online { "online" } else { "offline" });
    }

    /// A subscription whose every call is open, silent, and counts as healthy at once.
    fn silent() -> Subscription<u32> {
        let options =
            SubscriptionOptions { probe_within: Duration::from_millis(20), ..SubscriptionOptions::default() };
        Subscription::new(options, || async { Ok(Response::new(stream::pending())) }).0
    }

    async fn next_state(updates: &mut (impl Stream<Item = Update<u32>> + Unpin)) -> State {
        match updates.next().await {
            Some(Update::State(state)) => state,
            other => panic!("{other:?} came"),
        }
    }

    async fn ready(updates: &mut Subscription<u32>) {
        assert!(matches!(next_state(updates).await, State::Connecting));
        assert!(matches!(next_state(updates).await, State::Ready));
    }

    #[wasm_bindgen_test]
    async fn looking_at_the_page_makes_an_open_connection_prove_itself() {
        for (target, event) in [(of_global("document"), "visibilitychange"), (global().into(), "pageshow")] {
            let mut updates = silent();
            ready(&mut updates).await;

            dispatch(&target, event);

            let state = next_state(&mut updates).await;
            let State::TransientFailure { next: NextAttempt::At(_), attempt: 1, .. } = state else {
                panic!("{state:?} after {event}");
            };
        }
    }

    #[wasm_bindgen_test]
    async fn nothing_is_tried_while_the_browser_is_offline_and_at_once_when_it_is_back() {
        let calls = Rc::new(Cell::new(0));
        let counted = calls.clone();
        let (mut updates, handle) = Subscription::new(SubscriptionOptions::default(), move || {
            counted.set(counted.get() + 1);
            async { Err::<Response<stream::Pending<_>>, _>(Status::unavailable("down")) }
        });
        say_online(false);
        let state = next_state(&mut updates).await;
        assert!(matches!(state, State::TransientFailure { next: NextAttempt::WhenOnline, attempt: 0, .. }));
        let waited = select(Box::pin(crate::sleep(Duration::from_millis(100))), updates.next()).await;
        assert!(matches!(waited, Either::Left(_)));
        assert_eq!(calls.get(), 0);

        say_online(true);

        assert!(matches!(next_state(&mut updates).await, State::Connecting));
        assert_eq!(calls.get(), 1);
        drop((updates, handle));
    }

    #[wasm_bindgen_test]
    fn a_subscription_that_is_dropped_listens_no_more() {
        let complaints = Rc::new(Cell::new(0));
        let counted = complaints.clone();
        // A listener that was dropped and is still called complains to the page.
        let on_error = Closure::<dyn Fn()>::new(move || counted.set(counted.get() + 1));
        let window: EventTarget = global().unchecked_into();
        window.add_event_listener_with_callback("error", on_error.as_ref().unchecked_ref()).unwrap();
        let updates = silent();
        let shared = Arc::downgrade(&updates.shared);

        drop(updates);

        assert!(shared.upgrade().is_none(), "the listener is still there");
        EVENTS.into_iter().for_each(|event| dispatch(&global(), event));
        window.remove_event_listener_with_callback("error", on_error.as_ref().unchecked_ref()).unwrap();
        assert_eq!(complaints.get(), 0);
    }
}
