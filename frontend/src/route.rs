//! The page's routes: parsed from paths, printed as paths, and followed without a reload.
//!
//! Links are plain `<a href>`s. One listener follows them within the page, and leaves others (a new tab, a download, another site) to the
//! browser.

mod browser;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

pub(crate) use self::browser::{navigate, provide_route, room_link, use_route};

/// Everything but the characters that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/`: the last room.
    Home,
    /// `/rooms`: the list of rooms, which a narrow page shows instead of a room.
    Rooms,
    /// `/room/<id>`, and `/room/<id>/<seq>` for one of its messages.
    Room {
        /// The room's id.
        id: String,
        /// The sequence number of the message. It may name none.
        seq: Option<u64>,
    },
    /// `/greeter`.
    Greeter,
    /// `/explorer`, and `/explorer/<service>/<method>` for a method.
    Explorer {
        /// `package.Service/Method`. The server may have no such method.
        method: Option<String>,
    },
    /// `/settings`.
    Settings,
    /// Everything else.
    NotFound,
}

impl Route {
    /// The route of a URL's path. A trailing slash is ignored.
    pub(crate) fn parse(path: &str) -> Route {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        let mut parts = path.split('/');
        let route = match (parts.next(), parts.next(), parts.next()) {
            (Some(""), None, None) => Some(Route::Home),
            (Some("rooms"), None, None) => Some(Route::Rooms),
            (Some("greeter"), None, None) => Some(Route::Greeter),
            (Some("settings"), None, None) => Some(Route::Settings),
            (Some("room"), Some(id), seq) => room(id, seq),
            (Some("explorer"), None, None) => Some(Route::Explorer { method: None }),
            (Some("explorer"), Some(service), Some(method)) => explorer(service, method),
            _ => None,
        };
        route.filter(|_| parts.next().is_none()).unwrap_or(Route::NotFound)
    }

    /// The path of the route. `NotFound` has that of `Home`.
    pub(crate) fn path(&self) -> String {
        match self {
            Route::Home | Route::NotFound => "/".to_owned(),
            Route::Room { id, seq } => {
                let mut path = String::from("/room/");
                path.extend(utf8_percent_encode(id, RESERVED));
                if let Some(seq) = seq {
                    path.push('/');
                    path.push_str(&seq.to_string());
                }
                path
            }
            Route::Rooms => "/rooms".to_owned(),
            Route::Greeter => "/greeter".to_owned(),
            Route::Explorer { method: None } => "/explorer".to_owned(),
            Route::Explorer { method: Some(method) } => {
                let mut path = String::from("/explorer");
                for part in method.split('/') {
                    path.push('/');
                    path.extend(utf8_percent_encode(part, RESERVED));
                }
                path
            }
            Route::Settings => "/settings".to_owned(),
        }
    }

    /// Whether the chat shows this route.
    pub(crate) fn is_chat(&self) -> bool {
        matches!(self, Route::Home | Route::Rooms | Route::Room { .. })
    }
}

fn room(id: &str, seq: Option<&str>) -> Option<Route> {
    // By the URL Standard, a malformed escape stands for itself.
    let id = percent_decode_str(id).decode_utf8().ok()?.into_owned();
    if id.is_empty() {
        return None;
    }
    let seq = match seq {
        None => None,
        Some(digits) => Some(message_number(digits)?),
    };
    Some(Route::Room { id, seq })
}

fn explorer(service: &str, method: &str) -> Option<Route> {
    let part = |part| percent_decode_str(part).decode_utf8().ok().filter(|part| !part.is_empty());
    let method = [&part(service)?, "/", &part(method)?].concat();
    Some(Route::Explorer { method: Some(method) })
}

/// The number of a message. A number that no message can have is kept, so that its room can say so.
fn message_number(digits: &str) -> Option<u64> {
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(id: &str, seq: Option<u64>) -> Route {
        Route::Room { id: id.to_owned(), seq }
    }

    #[test]
    fn paths_are_parsed() {
        assert_eq!(Route::parse("/"), Route::Home);
        assert_eq!(Route::parse(""), Route::Home);
        assert_eq!(Route::parse("/greeter"), Route::Greeter);
        assert_eq!(Route::parse("/greeter/"), Route::Greeter);
        assert_eq!(Route::parse("/settings"), Route::Settings);
        assert_eq!(Route::parse("/room/general"), room("general", None));
        assert_eq!(Route::parse("/room/general/"), room("general", None));
        assert_eq!(Route::parse("/room/general/42"), room("general", Some(42)));
        assert_eq!(Route::parse("/rooms"), Route::Rooms);
    }

    #[test]
    fn numbers_without_a_message_belong_to_their_room() {
        assert_eq!(Route::parse("/room/general/0"), room("general", Some(0)));
        assert_eq!(Route::parse("/room/general/18446744073709551616"), room("general", Some(u64::MAX)));
    }

    #[test]
    fn unknown_paths_are_not_found() {
        for path in [
            "/room",
            "/room/",
            "/room/general/x",
            "/room/general/+5",
            "/room/general/-5",
            "/room/general/5/6",
            "/room/general/5/",
            "/rooms/x",
            "/greeter/x",
            "/Greeter",
            "//",
            "/room/%ff",
            "/room/%E6%88",
        ] {
            let expected = match path {
                "/room/general/5/" => room("general", Some(5)),
                _ => Route::NotFound,
            };
            assert_eq!(Route::parse(path), expected, "{path}");
        }
    }

    #[test]
    fn room_ids_survive_their_paths() {
        for id in ["general", "a/b", "a b", "100%", "房间", "é?#&=", "..x", "%2F", "🦀"] {
            let with_seq = room(id, Some(7));
            assert_eq!(Route::parse(&with_seq.path()), with_seq, "{id}");
            let without = room(id, None);
            assert_eq!(Route::parse(&without.path()), without, "{id}");
            assert!(without.path().is_ascii());
        }
    }

    #[test]
    fn reserved_characters_are_escaped() {
        assert_eq!(room("a/b?c#d e", None).path(), "/room/a%2Fb%3Fc%23d%20e");
        assert_eq!(room("A-z0.9_~", None).path(), "/room/A-z0.9_~");
        assert_eq!(Route::parse("/room/%e6%88%BF"), room("房", None));
    }

    #[test]
    fn a_malformed_escape_stands_for_itself() {
        for id in ["%", "%4", "%zz", "a%"] {
            assert_eq!(Route::parse(&["/room/", id].concat()), room(id, None));
        }
    }

    #[test]
    fn routes_survive_their_paths() {
        for route in
            [Route::Home, Route::Rooms, Route::Greeter, Route::Settings, Route::Explorer { method: None }]
        {
            assert_eq!(Route::parse(&route.path()), route);
        }
    }

    fn explorer(method: &str) -> Route {
        Route::Explorer { method: Some(method.to_owned()) }
    }

    #[test]
    fn a_method_survives_its_path() {
        assert_eq!(Route::parse("/explorer/"), Route::Explorer { method: None });
        assert_eq!(explorer("a.B/C").path(), "/explorer/a.B/C");
        assert_eq!(Route::parse("/explorer/a.B/C/"), explorer("a.B/C"));
        for method in ["helloworld.Greeter/SayHello", "a b/%2F?", "服务/方法"] {
            assert_eq!(Route::parse(&explorer(method).path()), explorer(method), "{method}");
        }
        for path in ["/explorer/a.B", "/explorer/a.B/C/d", "/explorer//C", "/explorer/a.B/%ff"] {
            assert_eq!(Route::parse(path), Route::NotFound, "{path}");
        }
    }

    #[test]
    fn only_home_and_rooms_belong_to_the_chat() {
        assert!(Route::Home.is_chat() && Route::Rooms.is_chat() && room("general", None).is_chat());
        assert!(!Route::Greeter.is_chat() && !Route::Settings.is_chat() && !Route::NotFound.is_chat());
    }
}
