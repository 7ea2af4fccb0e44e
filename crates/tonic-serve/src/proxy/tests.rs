//! The client of a request, for headers that proxies and clients may send.

use proptest::prelude::*;

use super::*;

const PROXY: &str = "10.0.0.1";

fn trusted() -> TrustedProxies {
    ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|network| network.parse().unwrap()).into_iter().collect()
}

fn client(peer: &str, headers: &[(&str, &str)]) -> String {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        map.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    trusted().client(peer.parse().unwrap(), &map).to_string()
}

fn by_list(list: &str) -> String {
    client(PROXY, &[("x-forwarded-for", list)])
}

fn by_forwarded(list: &str) -> String {
    client(PROXY, &[("forwarded", list)])
}

#[test]
fn only_a_trusted_peer_may_name_the_client() {
    for name in ["x-forwarded-for", "forwarded"] {
        let value = if name == "forwarded" { "for=203.0.113.9" } else { "203.0.113.9" };
        assert_eq!(client("198.51.100.1", &[(name, value)]), "198.51.100.1");
        assert_eq!(client(PROXY, &[(name, value)]), "203.0.113.9");
        assert_eq!(client("::ffff:10.0.0.1", &[(name, value)]), "203.0.113.9");
    }
    assert_eq!(client(PROXY, &[]), PROXY);
    assert_eq!(
        TrustedProxies::default().client(PROXY.parse().unwrap(), &HeaderMap::new()).to_string(),
        PROXY
    );
}

#[test]
fn the_list_is_read_from_its_end_past_trusted_addresses() {
    assert_eq!(by_list("6.6.6.6, 203.0.113.9"), "203.0.113.9");
    assert_eq!(by_list("6.6.6.6, 203.0.113.9, 10.0.0.7, 2001:db8:ffff::1"), "203.0.113.9");
    assert_eq!(by_list("10.0.0.9,10.0.0.8"), "10.0.0.9");
    assert_eq!(by_forwarded("for=6.6.6.6, for=203.0.113.9;proto=https, for=10.0.0.7"), "203.0.113.9");
    let lines =
        [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "10.1.1.1")];
    assert_eq!(client(PROXY, &lines), "203.0.113.9");
}

#[test]
fn an_entry_without_an_address_ends_the_search() {
    for entry in ["unknown", "", "203.0.113", "203.0.113.9:x", "[::1", "::1]", "fe80::1%eth0", "\u{fc}"] {
        assert_eq!(by_list(&format!("6.6.6.6, {entry}")), PROXY, "{entry:?}");
        assert_eq!(by_list(&format!("6.6.6.6, {entry}, 10.0.0.7")), "10.0.0.7", "{entry:?}");
    }
    for entry in [
        "for=unknown",
        "for=_hidden",
        "proto=https",
        "for",
        "for=",
        "for=1.1.1.1;for=2.2.2.2",
        "for=\"1.1.1.1",
        "",
    ] {
        assert_eq!(by_forwarded(&format!("for=6.6.6.6, {entry}")), PROXY, "{entry:?}");
    }
}

#[test]
fn ports_brackets_and_quotes_are_parsed() {
    assert_eq!(by_list("203.0.113.9:4711"), "203.0.113.9");
    assert_eq!(by_list("2001:db8::7"), "2001:db8::7");
    assert_eq!(by_list("[2001:db8::7]"), "2001:db8::7");
    assert_eq!(by_list("[2001:db8::7]:4711"), "2001:db8::7");
    assert_eq!(by_list("::ffff:203.0.113.9"), "203.0.113.9");
    assert_eq!(by_forwarded("For=\"[2001:db8::7]:4711\"; Proto=http"), "2001:db8::7");
    assert_eq!(by_forwarded("for=\"203.0.113.9:_port\""), "203.0.113.9");
    assert_eq!(by_forwarded("by=10.0.0.1;for=203.0.113.9;host=\"a:1\""), "203.0.113.9");
}

#[test]
fn a_client_cannot_change_entries_that_its_proxy_appended() {
    // An open quote in front.
    assert_eq!(by_forwarded("for=\", for=203.0.113.9"), "203.0.113.9");
    // A host name that a proxy quotes.
    for host in ["a,for=6.6.6.6", "a,for=6.6.6.6;x=", "a\\\",for=6.6.6.6;x=\\\"b"] {
        assert_eq!(by_forwarded(&format!("for=203.0.113.9;host=\"{host}\"")), PROXY, "{host}");
    }
    // The other header, which the proxy passes on.
    let both = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "203.0.113.9")];
    assert_eq!(client(PROXY, &both), "203.0.113.9");
}

#[test]
fn a_network_is_an_address_or_a_range() {
    let network = |text: &str| text.parse::<Network>().map(|network| network.to_string());
    assert_eq!(network("10.0.0.1").unwrap(), "10.0.0.1/32");
    assert_eq!(network("2001:db8::/32").unwrap(), "2001:db8::/32");
    assert_eq!(network("::ffff:10.0.0.0/104").unwrap(), "10.0.0.0/8");
    for text in ["", "10.0.0.0/33", "10.0.0", "proxy.example", "10.0.0.1:80", "/8"] {
        assert_eq!(network(text), Err(NetworkError), "{text:?}");
    }
}

proptest! {
    #[test]
    fn an_appended_entry_counts_after_any_text(
        sent in "[ -~]{0,60}",
        address in any::<[u8; 4]>().prop_map(std::net::Ipv4Addr::from),
    ) {
        prop_assume!(!trusted().contains(address.into()));
        let expected = address.to_string();
        prop_assert_eq!(by_list(&format!("{sent}, {address}")), expected.clone());
        prop_assert_eq!(by_forwarded(&format!("{sent}, for={address}")), expected);
    }

    #[test]
    fn no_header_causes_a_panic(value in proptest::collection::vec(32..=255_u8, 0..200)) {
        let mut headers = HeaderMap::new();
        for name in ["x-forwarded-for", "forwarded"] {
            let Ok(value) = http::HeaderValue::from_bytes(&value) else { continue };
            headers.clear();
            headers.insert(name, value);
            trusted().client(PROXY.parse().unwrap(), &headers);
        }
    }
}
