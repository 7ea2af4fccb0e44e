//! The header: the product, its pages and the menu. On a narrow page a room takes the place of product and pages.

mod back_button;
mod menu_content;
mod pages;
mod person_menu;

use leptos::prelude::*;

use self::{back_button::BackButton, pages::Pages, person_menu::PersonMenu};
use crate::{
    i18n::text,
    icon::{Icon, IconKind},
    route::{Route, use_route},
    session_context::{PageTitle, SessionContext},
};

/// The header.
#[component]
pub(crate) fn Header() -> impl IntoView {
    let title = expect_context::<PageTitle>();
    let session = expect_context::<SessionContext>();
    let route = use_route();
    let in_room =
        Memo::new(move |_| matches!(route.get(), Route::Room { .. }) && session.user.with(Option::is_some));
    view! {
        <header class="header" data-room=move || in_room.get().then_some("")>
            <Show when=move || in_room.get() fallback=|| ()>
                <BackButton />
                <p class="header__room" aria-hidden="true">{title.room}</p>
            </Show>
            <a class="header__product" href=Route::Home.address()>
                <Icon kind=IconKind::Mark />
                <span>{text(|m| m.product)}</span>
            </a>
            <Pages />
            <PersonMenu />
        </header>
    }
}
