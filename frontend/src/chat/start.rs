//! The one chat of the page: made and started with the page, and kept in step with the browser's events.

use std::cell::OnceCell;

use chat_model::outbox::OtherTab;
use leptos::{ev, prelude::*};

use super::{
    effects,
    runtime::Runtime,
    store::{Chat, is_online},
};
use crate::{api::Api, session_context::SessionContext, storage};

thread_local! {
    static CHAT: OnceCell<(Owner, Chat)> = const { OnceCell::new() };
}

/// The page's chat. The first call makes and starts it.
pub(crate) fn page_chat(api: Api, session: SessionContext) -> Chat {
    CHAT.with(|cell| {
        if let Some((_, chat)) = cell.get() {
            return *chat;
        }
        // An owner without a parent is never disposed of. Making one also makes it the current one.
        let current = Owner::current();
        let owner = Owner::new_root(None);
        current.iter().for_each(Owner::set);
        let chat = owner.with(|| {
            let runtime = Runtime::new(api, effects::tabs::supported());
            let chat = Chat::new(runtime, session, effects::run);
            listen(chat, session);
            effects::tabs::connect(chat);
            chat
        });
        cell.set((owner, chat)).ok();
        chat.act(|_, _| ());
        chat
    })
}

/// Listens to the network, visibility, other tabs, and signing out.
fn listen(chat: Chat, session: SessionContext) {
    // The listeners live as long as the page.
    let forget = std::mem::forget::<WindowListenerHandle>;
    for network in ["online", "offline"] {
        let changed = move |_| chat.act(|model, now| model.set_online(is_online(), now));
        forget(window_event_listener_untyped(network, changed));
    }
    for back in ["focus", "visibilitychange", "pageshow"] {
        let needed = move |_| {
            if document().hidden() {
                effects::kept::save_now(chat);
            } else {
                chat.act(|model, now| model.needed(now));
            }
        };
        forget(window_event_listener_untyped(back, needed));
    }
    forget(window_event_listener(ev::storage, move |event| {
        let Some(key) = storage::changed_key(&event) else { return };
        if let Some(change) = OtherTab::from_event(&key, event.new_value().as_deref()) {
            chat.act(|model, now| model.changed_in_other_tab(change, now));
        }
    }));
    Effect::new(move |_| {
        if session.user.with(Option::is_none) {
            chat.act(|model, now| model.end_session(false, now));
        }
    });
}
