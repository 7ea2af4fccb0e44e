//! The frame: header strip, routes, and what the whole page shares through contexts.

use leptos::{prelude::*, task::spawn_local};
use proto::chat::v1::User;

use crate::{
    api::Api,
    chat::ChatPage,
    i18n::{provide_language, use_messages},
    route::{Route, provide_route, use_route},
    theme::provide_theme,
};

/// What the header and the tab's title say about the chat. Filled by the chat, emptied when it is
/// not shown.
#[derive(Clone, Copy, Debug)]
pub struct PageTitle {
    /// The room's name.
    pub room: RwSignal<Option<String>>,
    /// Unread messages of all rooms.
    pub unread: RwSignal<u64>,
}

/// Who is signed in. `user` is set by the chat, which knows.
#[derive(Clone, Copy)]
pub struct SessionContext {
    /// The signed-in person.
    pub user: RwSignal<Option<User>>,
    /// Ends the session: `user` becomes none once the server has ended it.
    pub sign_out: Callback<()>,
    /// Whether the last attempt to sign out did not reach the server.
    pub sign_out_failed: RwSignal<bool>,
}

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    provide_language();
    provide_theme();
    provide_route();
    provide_context(PageTitle { room: RwSignal::new(None), unread: RwSignal::new(0) });
    let origin = window().location().origin().unwrap_or_default();
    let api = Api::new(&origin, |_| {}).expect("a page's own origin is a valid address");
    provide_session(api.clone());
    provide_context(api);

    let m = use_messages();
    let route = use_route();
    let in_chat = Memo::new(move |_| route.get().is_chat());
    view! {
        <header class="header">
            <a class="header__product" href="/">{move || m.get().product}</a>
            <nav aria-label=move || m.get().pages>
                <a href=Route::Greeter.path()>{move || m.get().greeter}</a>
            </nav>
        </header>
        <main class="frame__main" id="main" tabindex="-1">
            <Show when=move || in_chat.get() fallback=|| ()>
                <ChatPage />
            </Show>
        </main>
    }
}

fn provide_session(api: Api) {
    let user = RwSignal::new(None);
    let sign_out_failed = RwSignal::new(false);
    let sign_out = Callback::new(move |()| {
        let api = api.clone();
        spawn_local(async move {
            let answer = api.sign_out().await;
            let signed_out = match answer {
                Ok(_) => true,
                Err(status) => status.code() == tonic::Code::Unauthenticated,
            };
            sign_out_failed.set(!signed_out);
            if signed_out {
                user.set(None);
            }
        });
    });
    provide_context(SessionContext { user, sign_out, sign_out_failed });
}
