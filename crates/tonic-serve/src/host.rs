//! The host names that a request may ask for: the defence against DNS rebinding, where a foreign site lets its own name
//! resolve to this server, and its pages become the server's own pages to a browser.
//!
//! Knows no protocol beyond the `Host` field and the request's target.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Request, Version};

/// Longest host name of DNS, in bytes.
const MAX_NAME: usize = 253;

/// Longest part of a host name between two dots, in bytes.
const MAX_LABEL: usize = 63;

/// A host name as in the `Host` field, without a port, in lower case: `chat.example`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName(String);

/// The text is not a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a host name without scheme and port, for example chat.example")]
pub struct HostNameError;

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        let name = normalized(text);
        let label = |label: &str| {
            (1..=MAX_LABEL).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if name.len() > MAX_NAME || !name.split('.').all(label) {
            return Err(HostNameError);
        }
        Ok(Self(name))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `name` in lower case and without the dot that may end it, for comparison.
fn normalized(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// The hosts that a server accepts requests for, on any port. Default: every host.
///
/// A list also accepts `localhost` and names below it, which browsers resolve to the machine itself, and IP addresses, which
/// no DNS server can point elsewhere. A request for any other host is refused: a call with PERMISSION_DENIED, anything else
/// with 421.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts {
    names: Option<Arc<HashSet<String>>>,
    hint: Arc<str>,
}

impl AllowedHosts {
    /// Accepts these names, and those that every list accepts.
    pub fn new(names: impl IntoIterator<Item = HostName>) -> Self {
        Self { names: Some(Arc::new(names.into_iter().map(|name| name.0).collect())), ..Self::default() }
    }

    /// Adds a sentence to the refusal that tells how the operator allows a host. Default: none.
    #[must_use]
    pub fn hint(mut self, sentence: &str) -> Self {
        self.hint = sentence.into();
        self
    }

    /// The way in which the operator allows a host, from [`hint`](Self::hint).
    pub(crate) fn how_to_allow(&self) -> &str {
        &self.hint
    }

    /// Whether `host` is listed by name.
    pub(crate) fn lists(&self, host: &Host) -> bool {
        let Host::Name(name) = host else { return false };
        self.names.as_ref().is_some_and(|names| names.contains(name))
    }

    /// Whether requests for `host` are accepted.
    fn allows(&self, host: &Host) -> bool {
        self.names.is_none() || self.lists(host) || !matches!(host, Host::Name(_))
    }

    /// Refuses a request for a host that is not allowed, and one whose host is not named as HTTP requires.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<(), HostRefusal> {
        let mut fields = request.headers().get_all(HOST).iter();
        let field = fields.next();
        if fields.next().is_some() || (field.is_none() && request.version() == Version::HTTP_11) {
            return Err(HostRefusal::Malformed);
        }
        let field = field.map(Host::of_field).transpose().map_err(|InvalidHost| HostRefusal::Malformed)?;
        let target = request.uri().authority().map(|authority| Host::of_text(authority.as_str()));
        let target = target.transpose().map_err(|InvalidHost| HostRefusal::Malformed)?;
        match [field, target].iter().flatten().all(|host| self.allows(host)) {
            true => Ok(()),
            false => Err(HostRefusal::NotAllowed(self.refusal())),
        }
    }

    fn refusal(&self) -> String {
        let space = if self.hint.is_empty() { "" } else { " " };
        format!("this server does not accept requests for this host name{space}{}", self.hint)
    }
}

/// A request is refused because of its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostRefusal {
    /// `Host` is missing, repeated, or invalid.
    Malformed,
    /// The host is not allowed; with the text of the refusal.
    NotAllowed(String),
}

/// The host of a request, or of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// `localhost`, or a name below it.
    Localhost,
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

/// The text is not a host.
#[derive(Debug)]
pub(crate) struct InvalidHost;

impl Host {
    fn of_field(field: &HeaderValue) -> Result<Self, InvalidHost> {
        Self::of_text(field.to_str().map_err(|_| InvalidHost)?)
    }

    /// The host in `text`, which may end with a port.
    pub(crate) fn of_text(text: &str) -> Result<Self, InvalidHost> {
        let authority: Authority = text.parse().map_err(|_| InvalidHost)?;
        let host = authority.host();
        let port = text.strip_prefix(host).ok_or(InvalidHost)?;
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return Err(InvalidHost);
        }
        if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return address
                .parse()
                .map(|v6: Ipv6Addr| Self::Address(v6.to_canonical()))
                .map_err(|_| InvalidHost);
        }
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        Ok(match normalized(host) {
            name if name.is_empty() => return Err(InvalidHost),
            name if name == "localhost" || name.ends_with(".localhost") => Self::Localhost,
            name => Self::Name(name),
        })
    }

    /// The host that a request asks for, if it names one.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        match request.uri().authority() {
            Some(authority) => Self::of_text(authority.as_str()).ok(),
            None => Self::of_field(request.headers().get(HOST)?).ok(),
        }
    }

    /// The port that a request asks for, if it names one.
    pub(crate) fn port_of<B>(request: &Request<B>) -> Option<u16> {
        match request.uri().authority() {
            Some(authority) => authority.port_u16(),
            None => request.headers().get(HOST)?.to_str().ok()?.parse::<Authority>().ok()?.port_u16(),
        }
    }

    /// Whether it is this machine, by name or by address.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Localhost => true,
            Self::Address(address) => address.is_loopback(),
            Self::Name(_) => false,
        }
    }
}

/// `Host` may end with a colon and no port.
fn is_port(text: &str) -> bool {
    text.is_empty() || (text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowed() -> AllowedHosts {
        AllowedHosts::new(["Chat.Example".parse().unwrap()]).hint("(use --host)")
    }

    fn check(version: Version, uri: &str, hosts: &[&str]) -> Result<(), HostRefusal> {
        let mut request = Request::get(uri).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        allowed().check(&request.body(()).unwrap())
    }

    fn of_field(host: &str) -> Result<(), HostRefusal> {
        check(Version::HTTP_11, "/", &[host])
    }

    #[test]
    fn listed_names_loopback_names_and_addresses_are_accepted_on_any_port() {
        for host in [
            "chat.example",
            "CHAT.example.:8443",
            "localhost",
            "localhost:50051",
            "a.localhost",
            "127.0.0.1:1",
            "192.0.2.7",
            "[::1]:50051",
            "[2001:db8::1]",
            "chat.example:",
        ] {
            assert_eq!(of_field(host), Ok(()), "{host}");
            assert_eq!(check(Version::HTTP_2, &format!("http://{host}/"), &[]), Ok(()), "{host}");
        }
    }

    #[test]
    fn other_names_are_refused_with_the_hint() {
        let refused = HostRefusal::NotAllowed(
            "this server does not accept requests for this host name (use --host)".to_owned(),
        );
        for host in [
            "evil.example",
            "evil.chat.example",
            "notlocalhost",
            "localhost.evil.example",
            "127.1",
            "0x7f000001",
        ] {
            assert_eq!(of_field(host), Err(refused.clone()), "{host}");
            assert_eq!(
                check(Version::HTTP_2, &format!("http://{host}/"), &[]),
                Err(refused.clone()),
                "{host}"
            );
        }
        assert_eq!(check(Version::HTTP_11, "http://evil.example/", &["localhost"]), Err(refused.clone()));
        assert_eq!(check(Version::HTTP_2, "http://localhost/", &["evil.example"]), Err(refused));
    }

    #[test]
    fn an_http_1_1_request_has_exactly_one_host() {
        assert_eq!(check(Version::HTTP_11, "/", &[]), Err(HostRefusal::Malformed));
        assert_eq!(check(Version::HTTP_10, "/", &[]), Ok(()));
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            let twice = check(version, "/", &["localhost", "localhost"]);
            assert_eq!(twice, Err(HostRefusal::Malformed), "{version:?}");
        }
        for host in
            ["", "a b", "u@localhost", "localhost/x", "localhost:http", "[::1", "[::1]x", "localhost:99999"]
        {
            assert_eq!(of_field(host), Err(HostRefusal::Malformed), "{host:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_passes_as_a_host_that_is_not_allowed(text in "[ -~]{0,30}") {
            if of_field(&text).is_ok() {
                let host = Host::of_text(&text).unwrap();
                prop_assert!(!matches!(&host, Host::Name(name) if name != "chat.example"), "{:?}", host);
            }
        }
    }

    #[test]
    fn without_a_list_every_host_is_accepted() {
        let request = Request::get("/").header(HOST, "evil.example").body(()).unwrap();
        assert_eq!(AllowedHosts::default().check(&request), Ok(()));
    }

    #[test]
    fn a_host_name_with_scheme_port_or_wildcard_is_invalid() {
        assert_eq!("Chat.Example.".parse::<HostName>().unwrap().to_string(), "chat.example");
        let long = "a.".repeat(200);
        for text in
            ["", ".", "a..b", "https://a", "a:80", "*.a", "a/b", "[::1]", "bücher.example", "a b", &long]
        {
            assert_eq!(text.parse::<HostName>(), Err(HostNameError), "{text:?}");
        }
    }
}
