//! The place of the address.

use leptos::{html, prelude::*};

use super::place::Place;
use crate::{
    chat::ChatPage,
    chunk::{ShowPart, part},
    explorer::EXPLORER,
    greeter::GREETER,
    not_found::NotFoundPage,
    route::use_route,
    settings::SettingsPage,
};

part!(SETTINGS, dialogs: view! { <SettingsPage /> });

/// The main element.
#[component]
pub(super) fn MainView() -> impl IntoView {
    let route = use_route();
    let place = Memo::new(move |_| Place::of(&route.get()));
    let main = NodeRef::<html::Main>::new();
    // A screen reader continues at the new place, as after loading a page.
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
                Place::Greeter => view! { <ShowPart part=GREETER /> }.into_any(),
                Place::Explorer => view! { <ShowPart part=EXPLORER /> }.into_any(),
                Place::Settings => view! { <ShowPart part=SETTINGS /> }.into_any(),
                Place::NotFound => view! { <NotFoundPage /> }.into_any(),
            }}
        </main>
    }
}
