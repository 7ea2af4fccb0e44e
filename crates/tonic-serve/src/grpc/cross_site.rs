//! Refuses calls that a foreign page makes with its visitor's cookies.
//!
//! CORS only prevents such a page from reading the response; this check prevents the call. A call without a cookie has no
//! authority of the visitor, so it passes.

use http::header::{COOKIE, HeaderMap, ORIGIN};
use http::{HeaderName, HeaderValue, Request, Uri};

use super::cors::CorsOptions;
use crate::host::{AllowedHosts, Host};

/// The relation of the page to the server, as the browser sees it. Pages cannot set it; browsers send it over https and to
/// localhost.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The message of the refusal.
pub(crate) const FOREIGN_PAGE: &str = "pages of this origin may not call with cookies";

/// Whether `request` carries a cookie and comes from a page that is neither the server's own nor of an origin in `cors`.
///
/// `sec-fetch-site` tells whether a page is the server's own. Without it, the origin does: it must be the host of the request, or
/// a host in `hosts`, on any port, because cookies are shared by all ports. All names and addresses of localhost are one host.
pub(crate) fn is_foreign<B>(request: &Request<B>, hosts: &AllowedHosts, cors: &CorsOptions) -> bool {
    request.headers().contains_key(COOKIE)
        && Sender::of(request, hosts, cors, Ports::Any) == Sender::ForeignPage
}

/// The rights of a socket that a request opens. A foreign page may open none, also without a cookie, because CORS does not
/// prevent it from reading what comes through a WebSocket. So the port of an own page counts, too: that of the request, or behind
/// a proxy that names the server by its own address the default one of a host in `hosts`.
pub(crate) fn socket_rights<B>(
    request: &Request<B>,
    hosts: &AllowedHosts,
    cors: &CorsOptions,
) -> Option<SocketRights> {
    match Sender::of(request, hosts, cors, Ports::Same) {
        // Every browser sends an origin.
        Sender::OwnPage if request.headers().contains_key(ORIGIN) => Some(SocketRights::Cookies),
        Sender::OwnPage | Sender::Program => Some(SocketRights::NoCookies),
        Sender::ForeignPage => cors.allows_any().then_some(SocketRights::NoCookies),
    }
}

/// The rights of the calls in a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketRights {
    /// The calls carry the cookies of the handshake.
    Cookies,
    /// The cookies of the handshake are ignored.
    NoCookies,
}

/// The sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    Program,
    /// A page of this server, or of an origin that is listed with cookies.
    OwnPage,
    ForeignPage,
}

impl Sender {
    fn of<B>(request: &Request<B>, hosts: &AllowedHosts, cors: &CorsOptions, ports: Ports) -> Self {
        let headers = request.headers();
        let mut origins = headers.get_all(ORIGIN).iter();
        let (origin, second) = (origins.next(), origins.next());
        if second.is_some() {
            return Self::ForeignPage;
        }
        if origin.is_some_and(|origin| cors.lists(origin)) {
            return Self::OwnPage;
        }
        match (fetch_site(headers), origin) {
            (FetchSite::Own, _) => Self::OwnPage,
            (FetchSite::Foreign, _) => Self::ForeignPage,
            (FetchSite::Absent, None) => Self::Program,
            (FetchSite::Absent, Some(origin)) => {
                let page = origin.to_str().ok().and_then(PageHost::of_origin);
                let is_own = page.is_some_and(|page| {
                    (hosts.lists(&page.host) && (ports == Ports::Any || page.has_default_port()))
                        || page.is_asked_by(request, ports)
                });
                if is_own { Self::OwnPage } else { Self::ForeignPage }
            }
        }
    }
}

/// The ports of pages that are the server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    /// All ports of the host, because they share its cookies.
    Any,
    /// The port of the request.
    Same,
}

/// The host and port of a page, from its origin.
struct PageHost {
    host: Host,
    port: u16,
    default_port: u16,
}

impl PageHost {
    fn of_origin(origin: &str) -> Option<Self> {
        let uri: Uri = origin.parse().ok()?;
        let default_port = match uri.scheme_str()? {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = Host::of_text(authority.as_str()).ok()?;
        Some(Self { host, port: authority.port_u16().unwrap_or(default_port), default_port })
    }

    fn has_default_port(&self) -> bool {
        self.port == self.default_port
    }

    /// Whether `request` is to this host. A request without a port is to the default port of the page: TLS may end before this
    /// server.
    fn is_asked_by<B>(&self, request: &Request<B>, ports: Ports) -> bool {
        let Some(asked) = Host::of(request) else { return false };
        let is_host = asked == self.host || (asked.is_loopback() && self.host.is_loopback());
        is_host && (ports == Ports::Any || Host::port_of(request).unwrap_or(self.default_port) == self.port)
    }
}

/// The value of `sec-fetch-site`.
enum FetchSite {
    Own,
    Foreign,
    Absent,
}

fn fetch_site(headers: &HeaderMap) -> FetchSite {
    let mut values = headers.get_all(SEC_FETCH_SITE).iter();
    // `none` is an action of the user, such as a typed address.
    let is_own = |site: &HeaderValue| site == "same-origin" || site == "none";
    match values.next() {
        None => FetchSite::Absent,
        Some(site) if is_own(site) && values.all(is_own) => FetchSite::Own,
        Some(_) => FetchSite::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(host: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::post("/").header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let hosts = AllowedHosts::new(["chat.example".parse().unwrap()]);
        let cors = CorsOptions::new(["https://listed.example".parse().unwrap()]);
        is_foreign(&request.body(()).unwrap(), &hosts, &cors)
    }

    fn with_cookie(host: &str, origin: &str) -> bool {
        foreign(host, &[("cookie", "a=b"), ("origin", origin)])
    }

    #[test]
    fn a_foreign_page_may_not_call_with_a_cookie() {
        assert!(with_cookie("localhost:50051", "https://evil.example"));
        assert!(with_cookie("localhost:50051", "null"));
        assert!(with_cookie("192.0.2.7", "http://192.0.2.8"));
        assert!(with_cookie("chat.example", "ftp://chat.example"));
        for site in ["cross-site", "same-site", "anything"] {
            assert!(foreign("chat.example", &[("cookie", "a=b"), ("sec-fetch-site", site)]), "{site}");
        }
        let split = [("cookie", "a=b"), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert!(foreign("chat.example", &split));
        let two =
            [("cookie", "a=b"), ("origin", "https://listed.example"), ("origin", "https://evil.example")];
        assert!(foreign("chat.example", &two));
    }

    #[test]
    fn own_pages_and_listed_origins_may_call_with_a_cookie() {
        assert!(!with_cookie("192.0.2.7:50051", "http://192.0.2.7:8080"));
        assert!(!with_cookie("127.0.0.1:50051", "http://localhost:8080"));
        // Behind a proxy that names the server by its own address.
        assert!(!with_cookie("127.0.0.1:50051", "https://chat.example"));
        assert!(!with_cookie("chat.example", "https://listed.example"));
        let listed =
            [("cookie", "a=b"), ("origin", "https://listed.example"), ("sec-fetch-site", "cross-site")];
        assert!(!foreign("chat.example", &listed));
        for site in ["same-origin", "none"] {
            assert!(!foreign("chat.example", &[("cookie", "a=b"), ("sec-fetch-site", site)]), "{site}");
        }
    }

    fn socket(host: &str, origin: &str) -> Option<SocketRights> {
        let request = Request::get("/socket").header("host", host).header("origin", origin);
        let hosts = AllowedHosts::new(["chat.example".parse().unwrap()]);
        let cors = CorsOptions::new(["https://listed.example".parse().unwrap()]);
        socket_rights(&request.body(()).unwrap(), &hosts, &cors)
    }

    #[test]
    fn a_page_of_another_port_may_open_no_socket() {
        for (host, origin) in [
            ("127.0.0.1:50051", "http://127.0.0.1:8080"),
            ("127.0.0.1:50051", "http://localhost:3000"),
            ("127.0.0.1:50051", "http://127.0.0.1"),
            ("192.0.2.7", "http://192.0.2.7:8080"),
            ("192.0.2.7:443", "http://192.0.2.7"),
            ("chat.example", "https://chat.example:8443"),
            ("127.0.0.1:50051", "https://chat.example:8443"),
        ] {
            assert_eq!(socket(host, origin), None, "{host} {origin}");
        }
        for (host, origin) in [
            ("127.0.0.1:50051", "http://127.0.0.1:50051"),
            ("127.0.0.1:50051", "http://localhost:50051"),
            ("[::1]:50051", "http://localhost:50051"),
            ("192.0.2.7", "http://192.0.2.7"),
            ("192.0.2.7", "https://192.0.2.7"),
            ("192.0.2.7:443", "https://192.0.2.7"),
            ("chat.example:8443", "https://chat.example:8443"),
            // Behind a proxy that names the server by its own address.
            ("127.0.0.1:50051", "https://chat.example"),
            ("127.0.0.1:50051", "https://listed.example"),
        ] {
            assert_eq!(socket(host, origin), Some(SocketRights::Cookies), "{host} {origin}");
        }
    }

    #[test]
    fn programs_and_calls_without_a_cookie_pass() {
        assert!(!foreign("chat.example", &[("cookie", "a=b")]));
        let other = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        assert!(!foreign("chat.example", &other));
    }
}
