//! The address of the server that is explored. Knows no network.

use http::Uri;

/// The server that is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Address {
    /// The one that the page came from.
    #[default]
    Own,
    /// Another one: scheme, host and port, and a path before that of every call where there is one.
    Other(String),
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidAddress {
    /// It cannot be read as an address.
    Malformed,
    /// Its scheme is neither `http` nor `https`.
    Scheme,
    /// It has a user's name, a query or a fragment.
    Extra,
    /// It is `http`, and the page is `https`: the browser does not make such calls.
    MixedContent,
}

impl Address {
    /// Reads what a person typed. A text without a scheme gets `http` for this machine, and `https` otherwise. `own` is
    /// the address of the page's server, as a browser writes it: its origin, and the path under which it is.
    pub(super) fn parse(text: &str, own: &str) -> Result<Address, InvalidAddress> {
        let text = text.trim().trim_end_matches('/');
        if text.is_empty() {
            return Ok(Address::Own);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => (if is_loopback(text) { "http" } else { "https" }.to_owned(), text),
        };
        if scheme != "http" && scheme != "https" {
            return Err(InvalidAddress::Scheme);
        }
        if rest.contains(['@', '?', '#']) {
            return Err(InvalidAddress::Extra);
        }
        let uri: Uri = [&scheme, "://", rest].concat().parse().map_err(|_| InvalidAddress::Malformed)?;
        let authority = uri.authority().ok_or(InvalidAddress::Malformed)?;
        let has_bad_port =
            authority.as_str().len() > authority.host().len() && authority.port_u16().is_none();
        if authority.host().is_empty() || has_bad_port {
            return Err(InvalidAddress::Malformed);
        }
        let origin = [&scheme, "://", &authority.as_str().to_ascii_lowercase()].concat();
        let path = uri.path().trim_end_matches('/');
        if [without_default_port(&origin), path].concat() == own {
            return Ok(Address::Own);
        }
        if scheme == "http" && own.starts_with("https:") && !is_loopback(authority.as_str()) {
            return Err(InvalidAddress::MixedContent);
        }
        Ok(Address::Other([&origin, path].concat()))
    }

    /// The text for the field, which is empty for the page's own server.
    pub(super) fn text(&self) -> &str {
        match self {
            Address::Own => "",
            Address::Other(url) => url,
        }
    }

    /// The whole address.
    pub(super) fn url<'a>(&'a self, own: &'a str) -> &'a str {
        match self {
            Address::Own => own,
            Address::Other(url) => url,
        }
    }
}

/// Whether the host of an authority is this machine.
fn is_loopback(authority: &str) -> bool {
    let authority = authority.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(host) => host.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost") || host == "::1" || host.starts_with("127.")
}

fn without_default_port(origin: &str) -> &str {
    match origin.split_once("://") {
        Some(("http", _)) => origin.strip_suffix(":80").unwrap_or(origin),
        Some(("https", _)) => origin.strip_suffix(":443").unwrap_or(origin),
        _ => origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "http://127.0.0.1:50051";

    fn other(text: &str) -> String {
        match Address::parse(text, OWN) {
            Ok(Address::Other(url)) => url,
            found => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn nothing_and_the_own_origin_are_the_own_server() {
        for text in ["", "  ", OWN, "127.0.0.1:50051", "HTTP://127.0.0.1:50051/"] {
            assert_eq!(Address::parse(text, OWN), Ok(Address::Own), "{text}");
        }
        assert_eq!(Address::parse("https://Chat.example:443", "https://chat.example"), Ok(Address::Own));
        // A server under a path has neighbours on its origin.
        let own = "https://team.example/chat";
        assert_eq!(Address::parse("team.example/chat/", own), Ok(Address::Own));
        let neighbour = Address::Other("https://team.example".to_owned());
        assert_eq!(Address::parse("team.example", own), Ok(neighbour));
    }

    #[test]
    fn an_address_without_a_scheme_gets_one() {
        assert_eq!(other("localhost:8080"), "http://localhost:8080");
        assert_eq!(other("[::1]:8080"), "http://[::1]:8080");
        assert_eq!(other("api.example"), "https://api.example");
        assert_eq!(other("api.example:8443"), "https://api.example:8443");
    }

    #[test]
    fn a_path_is_kept_without_its_slash() {
        assert_eq!(other("https://api.example/grpc/"), "https://api.example/grpc");
        assert_eq!(other("127.0.0.1:50051/grpc"), "http://127.0.0.1:50051/grpc");
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, reason) in [
            ("ftp://a", InvalidAddress::Scheme),
            ("grpc://a:1", InvalidAddress::Scheme),
            ("https://u:p@a", InvalidAddress::Extra),
            ("https://a?b", InvalidAddress::Extra),
            ("https://a/#b", InvalidAddress::Extra),
            ("https://", InvalidAddress::Malformed),
            ("a b", InvalidAddress::Malformed),
            ("https://a:port", InvalidAddress::Malformed),
            ("https://a:99999", InvalidAddress::Malformed),
        ] {
            assert_eq!(Address::parse(text, OWN), Err(reason), "{text}");
        }
    }

    #[test]
    fn a_secure_page_calls_no_insecure_server_but_this_machine() {
        let own = "https://chat.example";
        assert_eq!(Address::parse("http://api.example", own), Err(InvalidAddress::MixedContent));
        assert!(Address::parse("http://localhost:8080", own).is_ok());
    }
}
