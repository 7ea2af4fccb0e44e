//! The addresses that `X-Forwarded-For` and `Forwarded` (RFC 7239) list, the nearest first.
//!
//! Does not know which of them are trusted.

use std::net::{IpAddr, Ipv6Addr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The caller that each proxy on the way has named, from the last proxy to the first; `None` for an entry without an address.
/// `Forwarded` is read only without `X-Forwarded-For`.
///
/// Lists are split from their end at every comma, quoted or not, so that text from a client at the start of the list, such as an
/// unclosed quote, cannot change the entries that proxies appended. An entry that was cut inside quotes is malformed.
pub(super) fn nearest_first(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let (name, entry): (_, fn(&str) -> Option<IpAddr>) = match headers.contains_key(&X_FORWARDED_FOR) {
        true => (X_FORWARDED_FOR, address),
        false => (FORWARDED, forwarded_for),
    };
    let values = headers.get_all(name).into_iter().rev();
    let entries = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    entries.map(move |bytes| entry(str::from_utf8(bytes.trim_ascii()).ok()?))
}

/// The address in `for` of one entry of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(entry: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in entry.split(';') {
        let (name, value) = pair.trim().split_once('=')?;
        let value = unquoted(value)?;
        if name.eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            return None;
        }
    }
    address(found?)
}

/// The text of a token or a quoted string. `None` for unbalanced quotes, and for escapes, which no address needs.
fn unquoted(value: &str) -> Option<&str> {
    let text = match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => value,
    };
    (!text.is_empty() && !text.contains(['"', '\\'])).then_some(text)
}

/// An address with or without a port; IPv6 with a port must be in brackets.
fn address(node: &str) -> Option<IpAddr> {
    let address = match node.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            if !port.is_empty() && !is_port(port.strip_prefix(':')?) {
                return None;
            }
            IpAddr::V6(address.parse::<Ipv6Addr>().ok()?)
        }
        None => match node.split_once(':') {
            Some((address, port)) if is_port(port) => IpAddr::V4(address.parse().ok()?),
            _ => node.parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

/// Digits, or an obfuscated port, which begins with an underscore.
fn is_port(text: &str) -> bool {
    let is_obfuscated = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    match text.strip_prefix('_') {
        Some(name) => !name.is_empty() && is_obfuscated(name),
        None => text.parse::<u16>().is_ok(),
    }
}
