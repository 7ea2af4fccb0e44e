//! The page: header, connection strip, the place of the address, the calls panel, and the contexts that they share.

mod main_view;
mod place;
mod tab_title;

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use self::{main_view::MainView, tab_title::keep_tab_title};
use crate::{
    account::RecoveryNotice,
    api::Api,
    base::server_address,
    calls::{CallsPanel, provide_calls},
    chat::{ConnectionStrip, JOIN, Switcher, provide_chat},
    chunk::{NotLoaded, when_idle},
    file_drop::provide_file_drop,
    focus::{self, guard_focus},
    header::Header,
    i18n::{load_texts, provide_language, text},
    keys::{self, KeysDialog, provide_keys},
    microtasks,
    route::provide_route,
    session_context::provide_session,
    theme::provide_theme,
    viewport::follow_keyboard,
};

/// Calls `mount`, which mounts [`App`], when the texts of the reader's language are there. Call once, before any future is spawned.
pub fn start(mount: fn()) {
    microtasks::one_at_a_time();
    spawn_local(async move {
        match load_texts().await {
            Ok(()) => mount(),
            // The shell says so.
            Err(NotLoaded) => wasm_bindgen::throw_str("the texts could not be loaded"),
        }
    });
}

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    provide_language();
    provide_theme();
    provide_route();
    follow_keyboard();
    let calls = provide_calls();
    provide_keys();
    guard_focus();
    provide_file_drop();
    let api = Api::new(&server_address(), calls.observer()).expect("a page's own address is a valid one");
    provide_session(api.clone());
    provide_chat(api.clone());
    provide_context(api);
    keep_tab_title();
    // The Greeter is as large as all of these, and few need it: its link loads it.
    when_idle(async move {
        // A part that cannot be loaded is tried again when it is shown.
        JOIN.load().await.ok();
        calls.collect().await;
        main_view::SETTINGS.load().await.ok();
        keys::KEYS.load().await.ok();
    });

    view! {
        <div class="frame">
            <a class="skip-link" href="#main" on:click=skip_to_content>{text(|m| m.skip_to_content)}</a>
            <Header />
            <ConnectionStrip />
            <RecoveryNotice />
            <MainView />
            <Show when=move || calls.is_open() fallback=|| ()>
                <CallsPanel />
            </Show>
            <KeysDialog />
            <Switcher />
        </div>
    }
}

/// The browser would look for the place in the document at the base path, and load that.
fn skip_to_content(event: web_sys::MouseEvent) {
    event.prevent_default();
    focus::focus("#main");
}
