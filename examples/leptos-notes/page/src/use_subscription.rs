//! A hook: a `Subscription` as leptos signals, for as long as its component lives. Copy it into your application.

use std::future::Future;

use futures_util::future::abortable;
use futures_util::{Stream, StreamExt as _};
use leptos::prelude::*;
use leptos::task::spawn_local;
use tonic::{Response, Status};
use tonic_web_channel::{State, Subscription, SubscriptionHandle, SubscriptionOptions, Update};

/// A running subscription.
pub struct Live {
    /// The state of its connection.
    pub state: ReadSignal<State>,
    /// Steers it, for a button "Connect now".
    pub handle: SubscriptionHandle,
}

/// Calls `open` for every attempt and `receive` for every message, until the current owner is cleaned up.
pub fn use_subscription<T, Open, Call, S>(
    options: SubscriptionOptions,
    open: Open,
    mut receive: impl FnMut(T) + 'static,
) -> Live
where
    T: 'static,
    Open: FnMut() -> Call + 'static,
    Call: Future<Output = Result<Response<S>, Status>> + 'static,
    S: Stream<Item = Result<T, Status>> + 'static,
{
    let (state, set_state) = signal(State::Idle);
    let (mut updates, handle) = Subscription::new(options, open);
    let (task, abort) = abortable(async move {
        while let Some(update) = updates.next().await {
            match update {
                Update::Message(message) => receive(message),
                Update::State(state) => set_state.set(state),
            }
        }
    });
    spawn_local(async move {
        // An error only says that it was aborted.
        task.await.ok();
    });
    // Dropping the subscription cancels its call.
    on_cleanup(move || abort.abort());
    Live { state, handle }
}
