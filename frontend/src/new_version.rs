//! The service worker of the page, and the sentence that a new version of the page is ready. A new version is taken at the next start; the
//! page that is open goes on.
//!
//! Only the page of `cargo xtask page` has a worker with files: without the feature `split` none is registered.

use leptos::prelude::*;

use crate::i18n::text;

#[cfg(feature = "split")]
mod worker {
    use std::time::Duration;

    use leptos::{ev, prelude::*};
    use wasm_bindgen::{closure::Closure, prelude::wasm_bindgen};

    #[wasm_bindgen(module = "/src/new_version.js")]
    extern "C" {
        fn register(replaced: &Closure<dyn Fn()>);
        pub(super) fn check();
        pub(super) fn reload();
    }

    /// Time after the start at which the worker is registered, when the page has loaded its parts.
    const REGISTER_AFTER: Duration = Duration::from_secs(4);

    /// Registers the worker, and looks for a new version when a person comes back to the page.
    pub(super) fn start(is_ready: RwSignal<bool>) {
        let begin = move || {
            let replaced = Closure::new(move || is_ready.set(true));
            register(&replaced);
            replaced.forget();
        };
        set_timeout(begin, REGISTER_AFTER);
        // It lives as long as the page.
        std::mem::forget(window_event_listener(ev::visibilitychange, move |_| {
            if !document().hidden() {
                check();
            }
        }));
    }
}

/// Looks for a new version.
pub(crate) fn check_for_new_version() {
    #[cfg(feature = "split")]
    worker::check();
}

/// The sentence that a new version is ready, with a button to take it. Empty until then.
#[component]
pub(crate) fn NewVersion() -> impl IntoView {
    let is_ready = RwSignal::new(false);
    #[cfg(feature = "split")]
    worker::start(is_ready);
    let reload = move |_| {
        #[cfg(feature = "split")]
        worker::reload();
    };
    view! {
        <div class="chat-strip" data-shown=move || is_ready.get().then_some("")>
            <p role="status">{move || is_ready.get().then(|| text(|m| m.new_version))}</p>
            <Show when=move || is_ready.get() fallback=|| ()>
                <button type="button" class="chat-strip__button" on:click=reload>{text(|m| m.reload)}</button>
            </Show>
        </div>
    }
}
