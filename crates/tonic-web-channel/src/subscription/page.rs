//! What the browser says: whether there is a network, and that the page woke.

use std::cell::Cell;
use std::sync::Arc;

use js_sys::{Date, global};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::EventTarget;

use super::handle::Shared;
use crate::js::{get, of_global};

/// The first two say that the network came or went; the others that the page was away, so that its
/// connection may have died unnoticed. All of them arrive at the global object, in a worker too.
const EVENTS: [&str; 4] = ["online", "offline", "visibilitychange", "pageshow"];

/// How long a page must have been hidden for its open connection to have to prove itself, in milliseconds.
///
/// A machine that slept was away for longer. Whoever only looks at another tab keeps a connection that lives: its
/// next message may be a heartbeat that is due much later than a probe allows.
const AWAY_MS: f64 = 30_000.0;

/// Listens for as long as it is kept.
pub(super) struct PageEvents {
    target: EventTarget,
    listener: Closure<dyn Fn(JsValue)>,
}

impl PageEvents {
    /// Tells the subscription how it is, and then what happens.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.set_online(is_online());
        // By the clock on the wall, which goes on while the machine sleeps.
        let hidden_since = Cell::new(is_hidden().then(Date::now));
        let listener = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            let online = is_online();
            // A network that comes back makes an open connection prove itself, too.
            shared.set_online(online);
            // Timers of a hidden page are slow anyway; it is asked about when somebody looks.
            if is_hidden() {
                hidden_since.set(hidden_since.get().or_else(|| Some(Date::now())));
                return;
            }
            let away = hidden_since.take().is_some_and(|since| Date::now() - since >= AWAY_MS);
            // A page that comes out of the cache of those that were left was frozen there.
            let asleep = away || get(&event, "persisted") == JsValue::TRUE;
            if online {
                shared.wish(|wishes| {
                    wishes.hurry = true;
                    wishes.wake |= asleep;
                });
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

    use crate::js::{call, object, set};
    use crate::{NextAttempt, State, Subscription, SubscriptionOptions, Update};

    use super::*;

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
        call(target, "dispatchEvent", [&event, &JsValue::UNDEFINED]).unwrap();
    }

    /// What the browser says from now on.
    fn say(whose: &str, name: &str, value: JsValue) {
        let property = object([("value", value), ("configurable", true.into())]);
        let whose: Object = of_global(whose).unchecked_into();
        Object::define_property(&whose, &name.into(), &property);
    }

    fn say_online(online: bool) {
        say("navigator", "onLine", online.into());
        dispatch(&global(), if online { "online" } else { "offline" });
    }

    /// The page is hidden, and looked at again after so long by the clock on the wall.
    fn hide_for(ms: f64) {
        let clock = get(&of_global("Date"), "now");
        for (hidden, now) in [(true, 0.0), (false, ms)] {
            say("Date", "now", Function::new_no_args(&format!("return {now}")).into());
            say("document", "hidden", hidden.into());
            dispatch(&of_global("document"), "visibilitychange");
        }
        say("Date", "now", clock);
    }

    /// A subscription whose every call is open and silent, and is given little time to prove itself.
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
    async fn an_open_connection_has_to_prove_itself_when_the_page_was_away_for_long() {
        let long: [fn(); 3] = [
            || hide_for(AWAY_MS),
            || dispatch_with(&global(), "pageshow", &JsValue::TRUE),
            || [false, true].into_iter().for_each(say_online),
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
    async fn an_open_connection_is_left_alone_by_a_look_at_another_tab() {
        let mut updates = silent();
        ready(&mut updates).await;
        hide_for(AWAY_MS - 1_000.0);
        dispatch(&global(), "pageshow");
        dispatch(&of_global("document"), "visibilitychange");
        let waited = select(Box::pin(crate::timer::sleep(Duration::from_millis(100))), updates.next()).await;
        assert!(matches!(waited, Either::Left(_)));
    }

    #[wasm_bindgen_test]
    async fn looking_at_the_page_ends_a_wait_however_short_it_was_hidden() {
        let long = Duration::from_secs(3_600);
        let options = SubscriptionOptions {
            backoff: crate::subscription::Backoff { base: long, max: long },
            ..SubscriptionOptions::default()
        };
        let events: [fn(); 2] = [|| hide_for(10.0), || dispatch(&global(), "pageshow")];
        for event in events {
            let mut updates = Subscription::<u32>::new(options, || async {
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
        let waited = select(Box::pin(crate::timer::sleep(Duration::from_millis(100))), updates.next()).await;
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
