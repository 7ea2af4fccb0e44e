//! The tab's title: unread messages, the place or the room, the product.

use leptos::prelude::*;

use super::place::Place;
use crate::{
    i18n::{Messages, use_messages},
    route::use_route,
    session_context::PageTitle,
};

/// Keeps the tab's title up to date. Call once, in the application's root.
pub(super) fn keep_tab_title() {
    let m = use_messages();
    let route = use_route();
    let title = expect_context::<PageTitle>();
    Effect::new(move || {
        let place = Place::of(&route.get());
        let text = tab_title(m.get(), place, title.room.get().as_deref(), title.unread.get());
        document().set_title(&text);
    });
}

fn tab_title(m: &Messages, place: Place, room: Option<&str>, unread: u64) -> String {
    let place = match place {
        Place::Chat => room,
        Place::Greeter => Some(m.greeter),
        Place::Explorer => Some(m.explorer),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn the_title_has_unread_messages_and_place() {
        let m = Language::English.messages();
        assert_eq!(tab_title(m, Place::Chat, Some("general"), 3), "(3) general · Chinwag");
        assert_eq!(tab_title(m, Place::Chat, None, 0), "Chinwag");
        assert_eq!(tab_title(m, Place::Greeter, Some("general"), 0), "Greeter · Chinwag");
    }
}
