//! Refuses calls that a page of another site makes with its visitor's cookies.
//!
//! CORS keeps such a page from reading an answer; here the call does not even run. Without a cookie a call has
//! nothing of the visitor's, and is nobody's business here.

use http::header::{COOKIE, HeaderMap, ORIGIN};
use http::{HeaderName, HeaderValue, Request, Uri};

use crate::cors::CorsOptions;
use crate::host::{AllowedHosts, Host};

/// Where a browser says the page is that makes a request. Pages cannot set it; browsers send it over https
/// and to the machine itself.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a refused caller is told.
pub(crate) const REFUSAL: &str = "pages of this origin may not call with cookies";

/// Whether `request` carries a cookie for a page that is neither the server's own nor of an origin in `cors`.
///
/// A page is the server's own by the browser's word (`sec-fetch-site`), and where it says nothing by its
/// origin: the host of the request, or a host in `hosts`, on any port, because cookies know no ports. All
/// names and addresses of this machine are one host.
pub(crate) fn is_foreign<B>(request: &Request<B>, hosts: &AllowedHosts, cors: &CorsOptions) -> bool {
    let headers = request.headers();
    if !headers.contains_key(COOKIE) {
        return false;
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    let (origin, second) = (origins.next(), origins.next());
    if second.is_some() {
        return true;
    }
    if origin.is_some_and(|origin| cors.lists(origin)) {
        return false;
    }
    match sites(headers) {
        Sites::Own => false,
        Sites::Other => true,
        Sites::Unsaid => origin.is_some_and(|origin| {
            let page = origin.to_str().ok().and_then(host_of_origin);
            !page.is_some_and(|page| {
                let asked = Host::of(request);
                hosts.lists(&page)
                    || asked.is_some_and(|asked| asked == page || (asked.is_loopback() && page.is_loopback()))
            })
        }),
    }
}

enum Sites {
    Own,
    Other,
    Unsaid,
}

fn sites(headers: &HeaderMap) -> Sites {
    let mut said = headers.get_all(SEC_FETCH_SITE).iter();
    // `none`: a person's own doing, such as an address that was typed.
    let is_own = |site: &HeaderValue| site == "same-origin" || site == "none";
    match said.next() {
        None => Sites::Unsaid,
        Some(site) if is_own(site) && said.all(is_own) => Sites::Own,
        Some(_) => Sites::Other,
    }
}

fn host_of_origin(origin: &str) -> Option<Host> {
    let uri: Uri = origin.parse().ok()?;
    matches!(uri.scheme_str(), Some("http" | "https")).then_some(())?;
    Host::of_text(uri.authority()?.as_str()).ok()
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
    fn a_page_of_another_site_may_not_call_with_a_cookie() {
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
    fn the_servers_own_pages_and_listed_origins_may() {
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

    #[test]
    fn programs_and_calls_without_a_cookie_are_not_asked() {
        assert!(!foreign("chat.example", &[("cookie", "a=b")]));
        let other = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        assert!(!foreign("chat.example", &other));
    }
}
