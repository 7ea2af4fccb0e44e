//! Events of the browser: the network came or went, the page was hidden or frozen and is back.

use std::cell::Cell;
use std::sync::Arc;

use js_sys::{Date, global};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::EventTarget;

use super::handle::Shared;
use crate::js::{get, of_global};

/// The first two report the network. The others report that the page is visible again, after its connection may have
/// died unnoticed. All of them reach the global object; a worker gets the first two.
const EVENTS: [&str; 4] = ["online", "offline", "visibilitychange", "pageshow"];

/// The time a page must have been hidden for its open connection to be probed, in milliseconds.
///
/// Shorter than a machine's sleep, longer than a look at another tab: a probe would close a good connection whose next
/// heartbeat is due later than the probe's timeout.
const AWAY_MS: f64 = 30_000.0;

/// Listens to the events until dropped.
pub(super) struct PageEvents {
    target: EventTarget,
    listener: Closure<dyn Fn(JsValue)>,
}

impl PageEvents {
    /// Reports the current state of the network to the subscription, then every event.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.set_online(is_online());
        // The wall clock, because it goes on while the machine sleeps.
        let hidden_since = Cell::new(is_hidden().then(Date::now));
        let listener = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            let online = is_online();
            shared.set_online(online);
            // Browsers throttle hidden pages, so the rest waits until the page is visible.
            if is_hidden() {
                hidden_since.set(hidden_since.get().or_else(|| Some(Date::now())));
                return;
            }
            let away = hidden_since.take().is_some_and(|since| Date::now() - since >= AWAY_MS);
            // A page in the back/forward cache was frozen.
            let asleep = away || get(&event, "persisted") == JsValue::TRUE;
            if online {
                shared.request(|commands| {
                    commands.skip_backoff = true;
                    commands.wake |= asleep;
                });
            }
        });
        let target: EventTarget = global().unchecked_into();
        for event in EVENTS {
            // A function is always accepted.
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

/// Assumes a network where the browser does not report it.
fn is_online() -> bool {
    get(&of_global("navigator"), "onLine") != JsValue::FALSE
}

/// Never in a worker, which has no document.
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
    use js_sys::{Function, Object, Reflect};
    use tonic::{Response, Status};
    use wasm_bindgen_test::wasm_bindgen_test;

    use crate::{NextAttempt, State, Subscription, SubscriptionOptions, Update};

    use super::*;

    /// A plain object.
    fn object<const N: usize>(properties: [(&str, JsValue); N]) -> Object {
        let object = Object::new();
        for (name, value) in properties {
            set(&object, name, &value);
        }
        object
    }

    fn set(object: &Object, name: &str, value: &JsValue) {
        Reflect::set(object, &name.into(), value).unwrap();
    }

    fn dispatch(target: &JsValue, name: &str) {
        dispatch_with(target, name, &JsValue::FALSE);
    }

    fn dispatch_with(target: &JsValue, name: &str, persisted: &JsValue) {
        let event = js_sys::Reflect::construct(
            of_global("Event").unchecked_ref::<Function>(),
            &js_sys::Array::of2(&name.into(), &object([("bubbles", true.into())])),
        );
        let event: Object = event.unwrap().unchecked_into();
        set(&event, "persisted", persisted);
        let dispatch: Function = get(target, "dispatchEvent").unchecked_into();
        dispatch.call1(target, &event).unwrap();
    }

    /// Overrides a property of a global object.
    fn override_property(whose: &str, name: &str, value: JsValue) {
        let property = object([("value", value), ("configurable", true.into())]);
        let whose: Object = of_global(whose).unchecked_into();
        Object::define_property(&whose, &name.into(), &property);
    }

    fn set_online(online: bool) {
        override_property("navigator", "onLine", online.into());
        dispatch(&global(), if online { "online" } else { "offline" });
    }

    /// Hides the page and shows it again after `ms` on the wall clock.
    fn hide_for(ms: f64) {
        let clock = get(&of_global("Date"), "now");
        for (hidden, now) in [(true, 0.0), (false, ms)] {
            override_property("Date", "now", Function::new_no_args(&format!("return {now}")).into());
            override_property("document", "hidden", hidden.into());
            dispatch(&of_global("document"), "visibilitychange");
        }
        override_property("Date", "now", clock);
    }

    /// A subscription whose streams open and send nothing, with a short probe timeout.
    fn silent() -> Subscription<u32> {
        let options = SubscriptionOptions::new().probe_timeout(Duration::from_millis(20));
        Subscription::new(options, (), |()| async { Ok(Response::new(stream::pending())) }).0
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
    async fn open_connection_is_probed_after_a_long_absence() {
        let long: [fn(); 3] = [
            || hide_for(AWAY_MS),
            || dispatch_with(&global(), "pageshow", &JsValue::TRUE),
            || [false, true].into_iter().for_each(set_online),
        ];
        for (case, event) in long.into_iter().enumerate() {
            let mut updates = silent();
            ready(&mut updates).await;
            event();
            let state = next_state(&mut updates).await;
            assert!(matches!(state, State::TransientFailure { attempt: 1, .. }), "case {case}: {state:?}");
        }
    }

    #[wasm_bindgen_test]
    async fn open_connection_is_not_probed_after_a_short_absence() {
        let mut updates = silent();
        ready(&mut updates).await;
        hide_for(AWAY_MS - 1_000.0);
        dispatch(&global(), "pageshow");
        dispatch(&of_global("document"), "visibilitychange");
        let waited = select(Box::pin(crate::timer::sleep(Duration::from_millis(100))), updates.next()).await;
        assert!(matches!(waited, Either::Left(_)));
    }

    #[wasm_bindgen_test]
    async fn showing_the_page_skips_the_backoff() {
        let long = Duration::from_secs(3_600);
        let options = SubscriptionOptions::new().backoff(crate::retry::Backoff { base: long, max: long });
        let events: [fn(); 2] = [|| hide_for(10.0), || dispatch(&global(), "pageshow")];
        for event in events {
            let mut updates = Subscription::<u32>::new(options, (), |()| async {
                Err::<Response<stream::Pending<_>>, _>(Status::unavailable("down"))
            })
            .0;
            assert!(matches!(next_state(&mut updates).await, State::Connecting));
            assert!(matches!(next_state(&mut updates).await, State::TransientFailure { .. }));
            event();
            assert!(matches!(next_state(&mut updates).await, State::Connecting));
        }
    }

    #[wasm_bindgen_test]
    async fn no_attempt_is_made_offline_and_one_at_once_when_online_again() {
        let calls = Rc::new(Cell::new(0));
        let counted = calls.clone();
        let (mut updates, handle) = Subscription::new(SubscriptionOptions::new(), (), move |()| {
            counted.set(counted.get() + 1);
            async { Err::<Response<stream::Pending<_>>, _>(Status::unavailable("down")) }
        });
        set_online(false);
        let state = next_state(&mut updates).await;
        assert!(matches!(state, State::TransientFailure { next: NextAttempt::WhenOnline, attempt: 0, .. }));
        let waited = select(Box::pin(crate::timer::sleep(Duration::from_millis(100))), updates.next()).await;
        assert!(matches!(waited, Either::Left(_)));
        assert_eq!(calls.get(), 0);

        set_online(true);

        assert!(matches!(next_state(&mut updates).await, State::Connecting));
        assert_eq!(calls.get(), 1);
        drop((updates, handle));
    }

    #[wasm_bindgen_test]
    fn dropped_subscription_removes_its_listeners() {
        let errors = Rc::new(Cell::new(0));
        let counted = errors.clone();
        // Calling a dropped closure raises an error event.
        let on_error = Closure::<dyn Fn()>::new(move || counted.set(counted.get() + 1));
        let window: EventTarget = global().unchecked_into();
        window.add_event_listener_with_callback("error", on_error.as_ref().unchecked_ref()).unwrap();
        let updates = silent();
        let shared = Arc::downgrade(&updates.shared);

        drop(updates);

        assert!(shared.upgrade().is_none(), "the listener was not removed");
        EVENTS.into_iter().for_each(|event| dispatch(&global(), event));
        window.remove_event_listener_with_callback("error", on_error.as_ref().unchecked_ref()).unwrap();
        assert_eq!(errors.get(), 0);
    }
}
