//! Web origins, as an allow-list has them.

use std::fmt;
use std::str::FromStr;

use http::HeaderValue;
use http::uri::Authority;

/// Schemes without pages, or whose pages have the origin `null`.
const SCHEMES_WITHOUT_ORIGIN: [&str; 9] =
    ["about", "blob", "data", "file", "ftp", "javascript", "view-source", "ws", "wss"];

/// An origin as browsers send it: scheme, host, and the port unless it is the scheme's default.
///
/// The origin of an application is used as it is written: `tauri://localhost`, `capacitor://localhost`, `chrome-extension://` and
/// the extension's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub(super) HeaderValue);

/// The text is not an origin that can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// It is not a scheme, a host and a port.
    #[error(
        "expected http:// or https://, or an application's scheme such as tauri://, then a host, and a port if it is not \
         the default, for example http://localhost:8080"
    )]
    Malformed,
    /// It is `null`, which many unrelated pages share.
    #[error("null cannot be allowed: it is the origin of every sandboxed page and local file")]
    Null,
    /// It has a `*`.
    #[error(
        "a * cannot be allowed: foreign pages could call with their visitors' cookies; list every origin"
    )]
    Wildcard,
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text.eq_ignore_ascii_case("null") {
            return Err(OriginError::Null);
        }
        if text.contains('*') {
            return Err(OriginError::Wildcard);
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, rest) = text.split_once("://").ok_or(OriginError::Malformed)?;
        let scheme = scheme.to_ascii_lowercase();
        let origin = match scheme.as_str() {
            "http" => web_origin("http", &rest.to_ascii_lowercase(), 80),
            "https" => web_origin("https", &rest.to_ascii_lowercase(), 443),
            scheme if SCHEMES_WITHOUT_ORIGIN.contains(&scheme) => None,
            scheme => application_origin(scheme, rest),
        };
        let origin = origin.and_then(|origin| HeaderValue::try_from(origin).ok());
        origin.map(Self).ok_or(OriginError::Malformed)
    }
}

fn web_origin(scheme: &str, rest: &str, default_port: u16) -> Option<String> {
    let authority: Authority = rest.parse().ok()?;
    let host = authority.host();
    let origin = match authority.port_u16() {
        Some(port) if port != default_port => format!("{host}:{port}"),
        _ => host.to_owned(),
    };
    // There may be nothing but host and port.
    let is_whole = rest == origin || rest == format!("{host}:{default_port}");
    (is_whole && !host.is_empty()).then(|| format!("{scheme}://{origin}"))
}

/// Browsers keep the spelling of such a host, with its upper case.
fn application_origin(scheme: &str, rest: &str) -> Option<String> {
    let mut letters = scheme.bytes();
    let is_scheme = letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_host = !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte))
        && !rest.starts_with(':');
    (is_scheme && is_host).then(|| format!("{scheme}://{rest}"))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Result<String, OriginError> {
        text.parse::<Origin>().map(|origin| origin.to_string())
    }

    #[test]
    fn an_origin_is_normalized_as_browsers_send_it() {
        assert_eq!(origin("http://localhost:8080").unwrap(), "http://localhost:8080");
        assert_eq!(origin("https://Chat.Example/").unwrap(), "https://chat.example");
        assert_eq!(origin("https://chat.example:443").unwrap(), "https://chat.example");
        assert_eq!(origin("http://[::1]:3000").unwrap(), "http://[::1]:3000");
        assert_eq!(origin("http://tauri.localhost").unwrap(), "http://tauri.localhost");
    }

    #[test]
    fn origins_of_applications_keep_their_spelling() {
        for text in [
            "tauri://localhost",
            "capacitor://localhost",
            "ionic://localhost",
            "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
            "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
            "safari-web-extension://E7C5F0A1-5C2F-4F0B-9A0E-6A3F0C3E1D2B",
            "app://bundle",
        ] {
            assert_eq!(origin(text).unwrap(), text);
        }
        assert_eq!(origin("Tauri://localhost/").unwrap(), "tauri://localhost");
    }

    #[test]
    fn other_texts_are_malformed() {
        for text in [
            "",
            "localhost:8080",
            "ftp://a",
            "file://a",
            "ws://a",
            "data:a",
            "http://",
            "tauri://",
            "http://a/b",
            "tauri://a/b",
            "http://a?b",
            "http://u@a",
            "tauri://u@a",
            "http://a:x",
            "http://a b",
            "1a://b",
            "://b",
        ] {
            assert_eq!(origin(text), Err(OriginError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn null_and_wildcards_are_refused_with_their_reason() {
        for text in ["null", "NULL"] {
            assert_eq!(origin(text), Err(OriginError::Null));
        }
        for text in ["*", "https://*.a", "tauri://*"] {
            assert_eq!(origin(text), Err(OriginError::Wildcard), "{text}");
        }
    }
}
