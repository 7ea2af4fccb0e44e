//! The static table of HPACK.
//!
//! Specification: RFC 7541, appendix A.

/// The names, from index 1.
static NAMES: [&str; 61] = [
    ":authority",
    ":method",
    ":method",
    ":path",
    ":path",
    ":scheme",
    ":scheme",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "accept",
    "access-control-allow-origin",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
];

/// The values, from index 1; all others are empty.
static VALUES: [&str; 16] = [
    "",
    "GET",
    "POST",
    "/",
    "/index.html",
    "http",
    "https",
    "200",
    "204",
    "206",
    "304",
    "400",
    "404",
    "500",
    "",
    "gzip, deflate",
];

/// The name at `index`.
pub(super) fn name(index: u32) -> Option<&'static str> {
    NAMES.get((index as usize).checked_sub(1)?).copied()
}

/// The value at `index`, which has a name.
pub(super) fn value(index: u32) -> &'static str {
    VALUES.get(index as usize - 1).copied().unwrap_or_default()
}

/// The first index with `name`.
pub(super) fn index_of(name: &str) -> Option<u32> {
    NAMES.iter().position(|other| *other == name).map(|index| index as u32 + 1)
}
