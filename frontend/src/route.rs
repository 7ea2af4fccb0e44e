//! The page's places as URLs: parsing, printing, and moving between them without a reload.
//!
//! Five routes do not repay a router crate, which every visitor would download. Links are plain
//! `<a href>`s: one listener on the document follows them in the page and leaves to the browser what
//! is meant for it (a new tab, a download, another site).

mod browser;
mod percent;

pub(crate) use self::browser::provide_route;
pub use self::browser::{navigate, use_route};
pub(crate) use self::percent::decode as percent_decode;

/// A place in the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/`: the last room.
    Home,
    /// `/room/<id>`, and `/room/<id>/<seq>` for one of its messages.
    Room {
        /// The room's id.
        id: String,
        /// The number of the message, from 1.
        seq: Option<u64>,
    },
    /// `/greeter`.
    Greeter,
    /// `/settings`.
    Settings,
    /// Everything else.
    NotFound,
}

impl Route {
    /// The route of a URL's path. A slash at the end changes nothing.
    pub fn parse(path: &str) -> Route {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        let mut parts = path.split('/');
        let route = match (parts.next(), parts.next(), parts.next()) {
            (Some(""), None, None) => Some(Route::Home),
            (Some("greeter"), None, None) => Some(Route::Greeter),
            (Some("settings"), None, None) => Some(Route::Settings),
            (Some("room"), Some(id), seq) => room(id, seq),
            _ => None,
        };
        route.filter(|_| parts.next().is_none()).unwrap_or(Route::NotFound)
    }

    /// The path that leads here. `NotFound` has none of its own and prints the root's.
    pub fn path(&self) -> String {
        match self {
            Route::Home | Route::NotFound => "/".to_owned(),
            Route::Room { id, seq: None } => ["/room/", &percent::encode(id)].concat(),
            Route::Room { id, seq: Some(seq) } => {
                ["/room/", &percent::encode(id), "/", &seq.to_string()].concat()
            }
            Route::Greeter => "/greeter".to_owned(),
            Route::Settings => "/settings".to_owned(),
        }
    }

    /// Whether the chat shows this route.
    pub fn is_chat(&self) -> bool {
        matches!(self, Route::Home | Route::Room { .. })
    }
}

fn room(id: &str, seq: Option<&str>) -> Option<Route> {
    let id = percent::decode(id).filter(|id| !id.is_empty())?;
    let seq = match seq {
        None => None,
        Some(digits) => Some(message_number(digits)?),
    };
    Some(Route::Room { id, seq })
}

fn message_number(digits: &str) -> Option<u64> {
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|seq| only_digits && *seq > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(id: &str, seq: Option<u64>) -> Route {
        Route::Room { id: id.to_owned(), seq }
    }

    #[test]
    fn paths_lead_to_their_routes() {
        assert_eq!(Route::parse("/"), Route::Home);
        assert_eq!(Route::parse(""), Route::Home);
        assert_eq!(Route::parse("/greeter"), Route::Greeter);
        assert_eq!(Route::parse("/greeter/"), Route::Greeter);
        assert_eq!(Route::parse("/settings"), Route::Settings);
        assert_eq!(Route::parse("/room/general"), room("general", None));
        assert_eq!(Route::parse("/room/general/"), room("general", None));
        assert_eq!(Route::parse("/room/general/42"), room("general", Some(42)));
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in [
            "/room",
            "/room/",
            "/room/general/x",
            "/room/general/0",
            "/room/general/+5",
            "/room/general/-5",
            "/room/general/18446744073709551616",
            "/room/general/5/6",
            "/room/general/5/",
            "/rooms",
            "/greeter/x",
            "/Greeter",
            "//",
            "/room/%",
            "/room/%ff",
            "/room/%4",
        ] {
            let expected = match path {
                "/room/general/5/" => room("general", Some(5)),
                _ => Route::NotFound,
            };
            assert_eq!(Route::parse(path), expected, "{path}");
        }
    }

    #[test]
    fn a_room_id_of_any_letters_survives_the_url() {
        for id in ["general", "a/b", "a b", "100%", "房间", "é?#&=", "..x", "%2F", "🦀"] {
            let with_seq = room(id, Some(7));
            assert_eq!(Route::parse(&with_seq.path()), with_seq, "{id}");
            let without = room(id, None);
            assert_eq!(Route::parse(&without.path()), without, "{id}");
            assert!(without.path().is_ascii());
        }
    }

    #[test]
    fn every_route_but_not_found_is_read_back_from_its_path() {
        for route in [Route::Home, Route::Greeter, Route::Settings] {
            assert_eq!(Route::parse(&route.path()), route);
        }
    }

    #[test]
    fn only_home_and_rooms_belong_to_the_chat() {
        assert!(Route::Home.is_chat() && room("general", None).is_chat());
        assert!(!Route::Greeter.is_chat() && !Route::Settings.is_chat() && !Route::NotFound.is_chat());
    }
}
