//! Sessions: tokens, how requests carry them, and a bounded cache, so that a call does not need a query.
//!
//! A token is 256 random bits. It is never stored: database and cache hold its SHA-256.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hashlink::LruCache;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::device::Device;
use super::random::{self, RandomError};
use super::types::User;

/// Name of the session cookie of older versions, which two servers on one host shared: cookies ignore ports. Still accepted,
/// so that the upgrade signs nobody out.
const OLD_COOKIE: &str = "chinwag_session";

/// Interval in which the use of a session is recorded once.
pub(super) const USE_INTERVAL_MS: i64 = 10 * 60 * 1_000;

/// Maximum number of cached sessions. Any other costs a query when it is used, and nothing else.
pub const CACHED_SESSIONS: usize = 16_384;

/// A session token: 256 random bits, as text that is safe in a cookie and a header.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// Generates a token.
    pub(super) fn random() -> Result<Self, RandomError> {
        Ok(Self(URL_SAFE_NO_PAD.encode(random::bytes::<32>()?)))
    }

    /// The token as sent to the client.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// SHA-256 of a token: the form that the server stores.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token that a client sent.
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// A public id of the session: a part of the hash, from which the token cannot be computed.
    pub(super) fn session_id(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0[..12])
    }

    /// From the stored form.
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The stored form.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// The token of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestToken<'a> {
    /// `authorization: Bearer <token>`.
    Bearer(&'a str),
    /// The cookie of this server.
    Cookie(&'a str),
    /// A cookie of an older version, or of this server before it was reached by https only.
    OldCookie(&'a str, OldName),
}

impl<'a> RequestToken<'a> {
    /// Finds the token in a request's headers. `authorization` takes precedence over the cookie: a program sets it on
    /// purpose, a browser adds cookies to every request.
    pub(super) fn find(
        authorization: Option<&'a str>,
        cookies: impl Iterator<Item = &'a str>,
        names: &CookieNames,
    ) -> Option<Self> {
        if let Some(value) = authorization {
            let (scheme, token) = value.trim().split_once(' ')?;
            return scheme.eq_ignore_ascii_case("bearer").then(|| Self::Bearer(token.trim()));
        }
        let mut old: Option<(OldName, &str)> = None;
        for pair in cookies.flat_map(|header| header.split(';')) {
            let Some((name, token)) = pair.trim().split_once('=') else { continue };
            if name == names.current {
                return Some(Self::Cookie(token));
            }
            let found = names.older.iter().position(|older| older.name == name).map(OldName);
            old = old.into_iter().chain(found.map(|name| (name, token))).min_by_key(|(name, _)| *name);
        }
        old.map(|(name, token)| Self::OldCookie(token, name))
    }

    /// The token.
    pub(super) fn token(&self) -> &'a str {
        match self {
            Self::Bearer(token) | Self::Cookie(token) | Self::OldCookie(token, _) => token,
        }
    }
}

/// Prefix of cookies that browsers accept only by https, for the path `/` and for this host alone, so that no other host of the
/// same domain can set them.
const HOST_PREFIX: &str = "__Host-";

/// Prefix of cookies that browsers accept only by https, for any path.
const SECURE_PREFIX: &str = "__Secure-";

/// The path of a server that has the whole origin.
const ROOT: &str = "/";

/// The names of the session cookie.
#[derive(Debug)]
pub(super) struct CookieNames {
    current: String,
    path: String,
    /// Accepted and replaced, the newest first.
    older: Vec<OlderCookie>,
    secure: bool,
}

/// A cookie of an older name.
#[derive(Debug)]
struct OlderCookie {
    name: String,
    path: String,
}

/// The index of an older name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OldName(usize);

impl CookieNames {
    /// The names for the database with this id, on a server under `path`. `secure`: browsers reach it by https only.
    pub(super) fn new(database_id: &str, secure: bool, path: &str) -> Self {
        let own = format!("{OLD_COOKIE}_{database_id}");
        let prefixed = |prefix| format!("{prefix}{own}");
        let older = |name: &str, path: &str| OlderCookie { name: name.to_owned(), path: path.to_owned() };
        // The oldest name has no database, so under a path it may be that of the server at the root.
        let (current, older) = match (secure, path) {
            (true, ROOT) => (prefixed(HOST_PREFIX), vec![older(&own, ROOT), older(OLD_COOKIE, ROOT)]),
            (false, ROOT) => (own, vec![older(OLD_COOKIE, ROOT)]),
            (true, path) => {
                let at_root = older(&prefixed(HOST_PREFIX), ROOT);
                (prefixed(SECURE_PREFIX), vec![older(&own, path), at_root])
            }
            (false, _) => (own, vec![]),
        };
        Self { current, path: path.to_owned(), older, secure }
    }

    /// The `set-cookie` value that stores `token` for `max_age_s` seconds; 0 removes the cookie.
    pub(super) fn set(&self, token: &str, max_age_s: u64) -> String {
        set_cookie(&self.current, token, &self.path, max_age_s, self.secure)
    }

    /// The `set-cookie` value that removes a cookie with an older name.
    pub(super) fn remove_old(&self, name: OldName) -> String {
        let OlderCookie { name, path } = &self.older[name.0];
        set_cookie(name, "", path, 0, self.secure)
    }
}

fn set_cookie(name: &str, token: &str, path: &str, max_age_s: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={token}; HttpOnly; SameSite=Strict; Path={path}; Max-Age={max_age_s}{secure}")
}

/// A valid session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) token: TokenHash,
    pub(super) user: User,
    expires_at_ms: AtomicI64,
    /// Time of the last recorded use.
    recorded_use_ms: AtomicI64,
}

impl Session {
    pub(super) fn new(token: TokenHash, user: User, expires_at_ms: i64, last_used_ms: i64) -> Self {
        let recorded_use_ms = AtomicI64::new(last_used_ms);
        Self { token, user, expires_at_ms: AtomicI64::new(expires_at_ms), recorded_use_ms }
    }

    /// Whether a use at `now_ms` has to be recorded. Then it counts as recorded.
    pub(super) fn is_use_due(&self, now_ms: i64) -> bool {
        let recorded = self.recorded_use_ms.load(Ordering::Relaxed);
        let is_due = now_ms.saturating_sub(recorded) >= USE_INTERVAL_MS;
        let exchange =
            |now| self.recorded_use_ms.compare_exchange(recorded, now, Ordering::Relaxed, Ordering::Relaxed);
        is_due && exchange(now_ms).is_ok()
    }

    /// Whether it has expired at `now_ms`.
    pub(super) fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_at_ms.load(Ordering::Relaxed) <= now_ms
    }

    /// Extends it; never shortens it.
    pub(super) fn extend(&self, expires_at_ms: i64) {
        self.expires_at_ms.fetch_max(expires_at_ms, Ordering::Relaxed);
    }
}

/// A session in the list of its user.
#[derive(Clone, Debug)]
pub(super) struct SessionView {
    pub(super) token: TokenHash,
    pub(super) device: Device,
    pub(super) created_at_ms: i64,
    pub(super) last_used_ms: i64,
    /// Whether it has an open stream.
    pub(super) connected: bool,
}

/// The most recently used sessions, at most [`CACHED_SESSIONS`].
#[derive(Debug)]
pub(super) struct SessionCache {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    sessions: LruCache<TokenHash, Arc<Session>>,
    /// Number of removals so far.
    removals: u64,
}

/// The number of removals at a cache miss; see [`SessionCache::insert`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Miss(u64);

impl Default for SessionCache {
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { sessions: LruCache::new(CACHED_SESSIONS), removals: 0 }) }
    }
}

impl SessionCache {
    /// The session if it is cached. A miss is to be passed to [`insert`](Self::insert).
    pub(super) fn get(&self, token: &TokenHash) -> Result<Arc<Session>, Miss> {
        let mut inner = self.inner.lock();
        let removals = inner.removals;
        inner.sessions.get(token).cloned().ok_or(Miss(removals))
    }

    /// Caches a session that was read from the store after `miss`, unless any session was removed since: it might be
    /// this one.
    pub(super) fn insert(&self, session: Arc<Session>, miss: Miss) {
        let mut inner = self.inner.lock();
        if inner.removals == miss.0 {
            inner.sessions.insert(session.token, session);
        }
    }

    /// Extends a session that was extended in the store, if it is cached.
    pub(super) fn extend(&self, token: &TokenHash, expires_at_ms: i64) {
        if let Some(session) = self.inner.lock().sessions.peek(token) {
            session.extend(expires_at_ms);
        }
    }

    /// Removes a session that was removed from the store.
    pub(super) fn remove(&self, token: &TokenHash) {
        let mut inner = self.inner.lock();
        inner.removals += 1;
        inner.sessions.remove(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::types::UserKey;

    fn session(token: &str) -> Arc<Session> {
        let user = User { key: UserKey(1), id: "u".into(), name: "Ada".into() };
        Arc::new(Session::new(TokenHash::of(token), user, 1_000, 0))
    }

    #[test]
    fn authorization_header_takes_precedence_over_the_cookie() {
        let names = CookieNames::new("1f", false, "/");
        let find = |a: Option<&'static str>, c: &'static [&'static str]| {
            RequestToken::find(a, c.iter().copied(), &names)
        };
        assert_eq!(find(Some("Bearer abc"), &[]), Some(RequestToken::Bearer("abc")));
        assert_eq!(find(Some("bearer  abc "), &[]), Some(RequestToken::Bearer("abc")));
        assert_eq!(find(Some("Basic abc"), &[]), None);
        assert_eq!(find(Some("abc"), &[]), None);
        assert_eq!(find(None, &["chinwag_session_1f=abc"]), Some(RequestToken::Cookie("abc")));
        assert_eq!(find(None, &["a=b; chinwag_session_1f=abc; c=d"]), Some(RequestToken::Cookie("abc")));
        assert_eq!(find(None, &["a=b", "chinwag_session_1f=abc"]), Some(RequestToken::Cookie("abc")));
        assert_eq!(find(None, &["xchinwag_session_1f=abc"]), None);
        assert_eq!(find(Some("Bearer t"), &["chinwag_session_1f=abc"]), Some(RequestToken::Bearer("t")));
        assert_eq!(find(Some("Basic t"), &["chinwag_session_1f=abc"]), None);
    }

    #[test]
    fn cookie_of_another_database_is_ignored_and_the_old_one_is_second() {
        let names = CookieNames::new("1f", false, "/");
        let find = |c: &'static [&'static str]| RequestToken::find(None, c.iter().copied(), &names);
        assert_eq!(find(&["chinwag_session_2e=abc"]), None);
        assert_eq!(find(&["chinwag_session=old"]), Some(RequestToken::OldCookie("old", OldName(0))));
        let both = find(&["chinwag_session=old; chinwag_session_1f=abc"]);
        assert_eq!(both, Some(RequestToken::Cookie("abc")));
    }

    #[test]
    fn cookie_is_http_only_and_same_site() {
        let names = CookieNames::new("1f", false, "/");
        assert_eq!(
            names.set("abc", 60),
            "chinwag_session_1f=abc; HttpOnly; SameSite=Strict; Path=/; Max-Age=60"
        );
        assert!(names.remove_old(OldName(0)).starts_with("chinwag_session=; "));
        let names = CookieNames::new("1f", true, "/");
        assert_eq!(
            names.set("", 0),
            "__Host-chinwag_session_1f=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0; Secure"
        );
    }

    #[test]
    fn names_from_before_https_are_accepted_after_the_current_one() {
        let names = CookieNames::new("1f", true, "/");
        let find = |c: &'static [&'static str]| RequestToken::find(None, c.iter().copied(), &names);
        assert_eq!(find(&["__Host-chinwag_session_1f=a"]), Some(RequestToken::Cookie("a")));
        let (plain, oldest) = (OldName(0), OldName(1));
        assert_eq!(find(&["chinwag_session_1f=b"]), Some(RequestToken::OldCookie("b", plain)));
        let both = find(&["chinwag_session=c; chinwag_session_1f=b"]);
        assert_eq!(both, Some(RequestToken::OldCookie("b", plain)), "the newer one is the session");
        assert_eq!(find(&["chinwag_session=c"]), Some(RequestToken::OldCookie("c", oldest)));
        let all = find(&["chinwag_session=c; chinwag_session_1f=b; __Host-chinwag_session_1f=a"]);
        assert_eq!(all, Some(RequestToken::Cookie("a")));
        assert!(names.remove_old(plain).starts_with("chinwag_session_1f=; "));
        assert!(names.remove_old(oldest).ends_with("; Secure"));
    }

    #[test]
    fn cookie_of_a_server_under_a_path_is_sent_only_there() {
        let names = CookieNames::new("1f", false, "/chat/");
        assert_eq!(
            names.set("abc", 60),
            "chinwag_session_1f=abc; HttpOnly; SameSite=Strict; Path=/chat/; Max-Age=60"
        );
        let foreign = RequestToken::find(None, ["chinwag_session=a"].into_iter(), &names);
        assert_eq!(foreign, None, "it may be the cookie of the server at the root");
        let names = CookieNames::new("1f", true, "/chat/");
        assert_eq!(
            names.set("abc", 60),
            "__Secure-chinwag_session_1f=abc; HttpOnly; SameSite=Strict; Path=/chat/; Max-Age=60; Secure"
        );
        let find = |cookie: &'static str| RequestToken::find(None, [cookie].into_iter(), &names);
        assert_eq!(find("__Secure-chinwag_session_1f=a"), Some(RequestToken::Cookie("a")));
        let moved = Some(RequestToken::OldCookie("a", OldName(1)));
        assert_eq!(find("__Host-chinwag_session_1f=a"), moved, "it is from before the server moved");
        let removed = names.remove_old(OldName(1));
        assert!(
            removed.starts_with("__Host-chinwag_session_1f=; ") && removed.contains("; Path=/; "),
            "{removed}"
        );
    }

    #[test]
    fn use_of_a_session_is_recorded_once_in_ten_minutes() {
        let session = session("a");
        assert!(!session.is_use_due(USE_INTERVAL_MS - 1));
        assert!(session.is_use_due(USE_INTERVAL_MS));
        assert!(!session.is_use_due(USE_INTERVAL_MS + 1));
        assert!(session.is_use_due(2 * USE_INTERVAL_MS));
    }

    #[test]
    fn tokens_differ_and_are_not_printed() {
        let (a, b) = (Token::random().unwrap(), Token::random().unwrap());
        assert_ne!(a.as_str(), b.as_str());
        assert_eq!(a.as_str().len(), 43);
        assert_eq!(format!("{a:?} {:?}", TokenHash::of(a.as_str())), "Token(..) TokenHash(..)");
    }

    #[test]
    fn session_read_before_another_was_removed_is_not_cached() {
        let cache = SessionCache::default();
        let a = session("a");
        let before = cache.get(&a.token).unwrap_err();
        cache.remove(&a.token);
        cache.insert(a.clone(), before);
        let after = cache.get(&a.token).unwrap_err();
        cache.insert(a.clone(), after);
        assert!(cache.get(&a.token).is_ok());
        cache.remove(&a.token);
        assert!(cache.get(&a.token).is_err());
    }

    #[test]
    fn cache_is_bounded_and_keeps_recently_used_sessions() {
        let cache = SessionCache::default();
        let used = session("used");
        let miss = cache.get(&used.token).unwrap_err();
        cache.insert(used.clone(), miss);
        for n in 0..CACHED_SESSIONS * 2 {
            cache.insert(session(&n.to_string()), miss);
            if n % 1_000 == 0 {
                assert!(cache.get(&used.token).is_ok(), "after {n} others");
            }
        }
        assert!(cache.inner.lock().sessions.len() <= CACHED_SESSIONS);
    }
}
