//! The path under which a server is reached when it shares its origin with others: `/chat/`.
//!
//! Requests lose it before anything else looks at their paths. Knows no page and no call.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;
use http::uri::PathAndQuery;

/// Longest base path, in bytes. It is a part of every address and of every cookie.
const MAX_BYTES: usize = 255;

/// The path under which a server is reached, such as `/chat/`. Without one it has the whole origin.
///
/// ```
/// use tonic_serve::BasePath;
///
/// let base: BasePath = "/chat/".parse()?;
/// assert_eq!(base.as_str(), "/chat/");
/// assert!("chat".parse::<BasePath>().is_err());
/// # Ok::<(), tonic_serve::BasePathError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasePath {
    path: Arc<str>,
    is_stripped: bool,
}

/// The text is not a base path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a path of letters, digits, '-', '.', '_' and '~' that begins and ends with a slash, for example /chat/"
)]
pub struct BasePathError;

/// The place of a request's path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Under the base path, with the rest of the target, which begins with a slash.
    Inside(PathAndQuery),
    /// The base path without its last slash; with the target that has it.
    WithoutSlash(String),
    Outside,
}

impl FromStr for BasePath {
    type Err = BasePathError;

    fn from_str(text: &str) -> Result<Self, BasePathError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        // Browsers and proxies resolve segments of dots.
        let is_segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_allowed);
        let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).unwrap_or_default();
        let is_valid = text == "/" || (text.len() <= MAX_BYTES && inner.split('/').all(is_segment));
        if is_valid { Ok(Self { path: text.into(), is_stripped: false }) } else { Err(BasePathError) }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl BasePath {
    /// The path, with both slashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Whether it is `/`: the server has the whole origin.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.path == "/"
    }

    /// Declares whether a proxy removes the path before it passes requests on. Default: it does not, and requests come as browsers
    /// make them. The page is told the path in either case.
    #[must_use]
    pub fn stripped_by_proxy(mut self, is_stripped: bool) -> Self {
        self.is_stripped = is_stripped;
        self
    }

    /// The place of `target`.
    pub(crate) fn place(&self, target: &Uri) -> Place {
        let whole = target.path_and_query();
        if self.is_root() || self.is_stripped {
            return whole.cloned().map_or(Place::Outside, Place::Inside);
        }
        let Some(text) = whole.map(PathAndQuery::as_str) else { return Place::Outside };
        let without_slash = &self.path[..self.path.len() - 1];
        let Some(rest) = text.strip_prefix(without_slash) else { return Place::Outside };
        match rest.parse() {
            Ok(rest) if text.starts_with(&*self.path) => Place::Inside(rest),
            _ if rest.is_empty() || rest.starts_with('?') => {
                Place::WithoutSlash([self.as_str(), rest].concat())
            }
            _ => Place::Outside,
        }
    }
}

/// `target` with another path and query.
pub(crate) fn with_path(target: Uri, path: PathAndQuery) -> Uri {
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).unwrap_or(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(base: &str, target: &str) -> Place {
        base.parse::<BasePath>().unwrap().place(&target.parse().unwrap())
    }

    fn inside(rest: &str) -> Place {
        Place::Inside(rest.parse().unwrap())
    }

    #[test]
    fn only_paths_between_two_slashes_are_base_paths() {
        for text in ["/", "/chat/", "/a/b-c/d.e_f~/", "/Chat9/"] {
            assert_eq!(text.parse::<BasePath>().unwrap().as_str(), text);
        }
        let long = format!("/{}/", "a".repeat(MAX_BYTES));
        for text in [
            "",
            "chat",
            "/chat",
            "chat/",
            "//",
            "/a//b/",
            "/./",
            "/a/../",
            "/a b/",
            "/ä/",
            "/%61/",
            "/a?/",
            "/a;b/",
            "/a:b/",
            "https://host/chat/",
            "/\"/",
            &long,
        ] {
            assert_eq!(text.parse::<BasePath>(), Err(BasePathError), "{text}");
        }
    }

    #[test]
    fn a_path_below_the_base_path_loses_it() {
        for (target, rest) in [
            ("/chat/", "/"),
            ("/chat/room/general/1?a=b", "/room/general/1?a=b"),
            ("/chat/chat/", "/chat/"),
            ("https://host/chat/readyz", "/readyz"),
            ("/chat//x", "//x"),
            ("/chat/?a", "/?a"),
        ] {
            assert_eq!(place("/chat/", target), inside(rest), "{target}");
        }
    }

    #[test]
    fn other_paths_are_outside_and_the_path_without_its_slash_is_told_apart() {
        for target in ["/", "/cha", "/chatter/", "/chat.v1.ChatService/Join", "/Chat/", "*", "/other?/chat/"]
        {
            assert_eq!(place("/chat/", target), Place::Outside, "{target}");
        }
        assert_eq!(place("/chat/", "/chat"), Place::WithoutSlash("/chat/".to_owned()));
        assert_eq!(place("/a/b/", "/a/b?c=d"), Place::WithoutSlash("/a/b/?c=d".to_owned()));
    }

    #[test]
    fn a_stripped_path_is_not_removed_again() {
        let base = "/chat/".parse::<BasePath>().unwrap().stripped_by_proxy(true);
        assert_eq!(base.place(&"/chat/x".parse().unwrap()), inside("/chat/x"));
        assert_eq!(place("/", "/chat/x"), inside("/chat/x"));
    }

    #[test]
    fn an_absolute_target_keeps_its_host() {
        let target = with_path("http://host:1/chat/a?b".parse().unwrap(), "/a?b".parse().unwrap());
        assert_eq!(target, "http://host:1/a?b");
        let double = with_path("/chat//a".parse().unwrap(), "//a".parse().unwrap());
        assert_eq!(double.path(), "//a");
    }
}
