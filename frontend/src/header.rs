//! The header: the product, its pages, the room, the calls and the menu.

mod calls_button;
mod pages;
mod person_menu;

use leptos::prelude::*;

use self::{calls_button::CallsButton, pages::Pages, person_menu::PersonMenu};
use crate::{
    i18n::text,
    icon::{Icon, IconKind},
    session_context::PageTitle,
};

/// The header.
#[component]
pub(crate) fn Header() -> impl IntoView {
    let title = expect_context::<PageTitle>();
    view! {
        <header class="header">
            <a class="header__product" href="/">
                <Icon kind=IconKind::Mark />
                <span>{text(|m| m.product)}</span>
            </a>
            <Pages />
            <p class="header__room" title=title.room>{title.room}</p>
            <CallsButton />
            <PersonMenu />
        </header>
    }
}
