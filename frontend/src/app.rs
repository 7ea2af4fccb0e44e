//! The frame: header strip, routes, and what the whole page shares through contexts.

use leptos::{html, prelude::*, task::spawn_local};
use proto::chat::v1::User;
use tonic_web_channel::observe::CallEvent;

use crate::{
    api::Api,
    calls::{CallsPanel, provide_calls},
    chat::ChatPage,
    greeter::GreeterPage,
    header::Header,
    i18n::{Messages, provide_language, text, use_messages},
    keys::{KeysDialog, provide_keys},
    route::{Route, provide_route, use_route},
    settings::{NotFoundPage, SettingsPage},
    theme::provide_theme,
    viewport::follow_keyboard,
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
    follow_keyboard();
    provide_context(PageTitle { room: RwSignal::new(None), unread: RwSignal::new(0) });
    let calls = provide_calls();
    provide_keys();
    let origin = window().location().origin().unwrap_or_default();
    let tools = browser_tools();
    let api = Api::new(&origin, move |event| {
        calls.observe(event);
        tools(event);
    })
    .expect("a page's own origin is a valid address");
    provide_session(api.clone());
    provide_context(api);
    name_the_tab();

    view! {
        <div class="frame">
            <a class="skip-link" href="#main">{text(|m| m.skip_to_content)}</a>
            <Header />
            <Main />
            <Show when=move || calls.is_open() fallback=|| ()>
                <CallsPanel />
            </Show>
            <KeysDialog />
        </div>
    }
}

/// Shows calls where a browser's own tools look: on its timeline, and in an extension for gRPC-Web when
/// there is one.
#[cfg(target_arch = "wasm32")]
fn browser_tools() -> impl Fn(&CallEvent) + 'static {
    let timing = tonic_web_devtools::user_timing::observer();
    let devtools = tonic_web_devtools::extension::observer(crate::calls::for_devtools);
    move |event| {
        timing(event);
        devtools(event);
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn browser_tools() -> impl Fn(&CallEvent) + Send + Sync + 'static {
    |_| {}
}

/// What is shown in the middle. A room's page stays in place when the room changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Chat,
    Greeter,
    Settings,
    NotFound,
}

impl Place {
    fn of(route: &Route) -> Place {
        match route {
            Route::Home | Route::Room { .. } => Place::Chat,
            Route::Greeter => Place::Greeter,
            Route::Settings => Place::Settings,
            Route::NotFound => Place::NotFound,
        }
    }
}

#[component]
fn Main() -> impl IntoView {
    let route = use_route();
    let place = Memo::new(move |_| Place::of(&route.get()));
    let main = NodeRef::<html::Main>::new();
    // Whoever reads by ear is taken to the new page, as a browser does on loading one.
    Effect::new(move |previous: Option<Place>| {
        let place = place.get();
        if let Some(main) =
            main.get_untracked().filter(|_| previous.is_some_and(|previous| previous != place))
        {
            // An element with a tab index takes the focus.
            main.focus().ok();
            main.set_scroll_top(0);
        }
        place
    });
    view! {
        <main class="frame__main" id="main" tabindex="-1" node_ref=main>
            {move || match place.get() {
                Place::Chat => view! { <ChatPage /> }.into_any(),
                Place::Greeter => view! { <GreeterPage /> }.into_any(),
                Place::Settings => view! { <SettingsPage /> }.into_any(),
                Place::NotFound => view! { <NotFoundPage /> }.into_any(),
            }}
        </main>
    }
}

/// Keeps the tab's title in step with the place, the room and the unread messages.
fn name_the_tab() {
    let m = use_messages();
    let route = use_route();
    let title = expect_context::<PageTitle>();
    Effect::new(move || {
        let place = Place::of(&route.get());
        let name = tab_title(m.get(), place, title.room.get().as_deref(), title.unread.get());
        document().set_title(&name);
    });
}

fn tab_title(m: &Messages, place: Place, room: Option<&str>, unread: u64) -> String {
    let place = match place {
        Place::Chat => room,
        Place::Greeter => Some(m.greeter),
        Place::Settings => Some(m.settings),
        Place::NotFound => Some(m.not_found_title),
    };
    let mut title = match unread {
        0 => String::new(),
        unread => ["(", &unread.to_string(), ") "].concat(),
    };
    if let Some(place) = place {
        title.push_str(place);
        title.push_str(" · ");
    }
    title.push_str(m.product);
    title
}

fn provide_session(api: Api) {
    let user = RwSignal::new(None);
    let sign_out_failed = RwSignal::new(false);
    let sign_out = Callback::new(move |()| {
        let api = api.clone();
        spawn_local(async move {
            let signed_out = match api.sign_out().await {
                Ok(_) => true,
                // The session had ended already.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn the_tab_says_room_and_unread_messages() {
        let m = Language::English.messages();
        assert_eq!(tab_title(m, Place::Chat, Some("general"), 3), "(3) general · Chinwag");
        assert_eq!(tab_title(m, Place::Chat, None, 0), "Chinwag");
        assert_eq!(tab_title(m, Place::Greeter, Some("general"), 0), "Greeter · Chinwag");
    }
}
