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

use super::random::{self, RandomError};
use super::types::User;

/// Name of the session cookie.
pub const COOKIE: &str = "chinwag_session";

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
    /// `cookie: chinwag_session=<token>`.
    Cookie(&'a str),
}

impl<'a> RequestToken<'a> {
    /// Finds the token in a request's headers. `authorization` takes precedence over the cookie: a program sets it on
    /// purpose, a browser adds cookies to every request.
    pub(super) fn find(
        authorization: Option<&'a str>,
        cookies: impl Iterator<Item = &'a str>,
    ) -> Option<Self> {
        if let Some(value) = authorization {
            let (scheme, token) = value.trim().split_once(' ')?;
            return scheme.eq_ignore_ascii_case("bearer").then(|| Self::Bearer(token.trim()));
        }
        cookies
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == COOKIE)
            .map(|(_, token)| Self::Cookie(token))
    }

    /// The token.
    pub(super) fn token(&self) -> &'a str {
        match self {
            Self::Bearer(token) | Self::Cookie(token) => token,
        }
    }
}

/// The `set-cookie` value that stores `token` for `max_age_s` seconds; 0 removes the cookie.
pub(super) fn set_cookie(token: &str, max_age_s: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={max_age_s}{secure}")
}

/// A valid session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) token: TokenHash,
    pub(super) user: User,
    expires_at_ms: AtomicI64,
}

impl Session {
    pub(super) fn new(token: TokenHash, user: User, expires_at_ms: i64) -> Self {
        Self { token, user, expires_at_ms: AtomicI64::new(expires_at_ms) }
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
        Arc::new(Session::new(TokenHash::of(token), user, 1_000))
    }

    #[test]
    fn authorization_header_takes_precedence_over_the_cookie() {
        let none = std::iter::empty::<&str>;
        let find =
            |a: Option<&'static str>, c: &'static [&'static str]| RequestToken::find(a, c.iter().copied());
        assert_eq!(RequestToken::find(Some("Bearer abc"), none()), Some(RequestToken::Bearer("abc")));
        assert_eq!(RequestToken::find(Some("bearer  abc "), none()), Some(RequestToken::Bearer("abc")));
        assert_eq!(RequestToken::find(Some("Basic abc"), none()), None);
        assert_eq!(RequestToken::find(Some("abc"), none()), None);
        assert_eq!(find(None, &["chinwag_session=abc"]), Some(RequestToken::Cookie("abc")));
        assert_eq!(find(None, &["a=b; chinwag_session=abc; c=d"]), Some(RequestToken::Cookie("abc")));
        assert_eq!(find(None, &["a=b", "chinwag_session=abc"]), Some(RequestToken::Cookie("abc")));
        assert_eq!(find(None, &["xchinwag_session=abc"]), None);
        assert_eq!(find(Some("Bearer t"), &["chinwag_session=abc"]), Some(RequestToken::Bearer("t")));
        assert_eq!(find(Some("Basic t"), &["chinwag_session=abc"]), None);
    }

    #[test]
    fn cookie_is_http_only_and_same_site() {
        assert_eq!(
            set_cookie("abc", 60, false),
            "chinwag_session=abc; HttpOnly; SameSite=Strict; Path=/; Max-Age=60"
        );
        assert!(set_cookie("", 0, true).ends_with("; Max-Age=0; Secure"));
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
