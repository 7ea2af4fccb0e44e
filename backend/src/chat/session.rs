//! Sessions: their tokens, how a request carries one, and a bounded memory of the valid ones, so that a call
//! does not cost a query.
//!
//! A token is 256 random bits and is never stored: the database and the memory know its SHA-256.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::random::{self, RandomError};
use super::types::User;

/// The cookie that carries the session.
pub const COOKIE: &str = "chinwag_session";

/// How many sessions are remembered at most, in two generations. One more costs a query when it is used
/// again, and nothing else.
pub const REMEMBERED_SESSIONS: usize = 16_384;

/// What proves a session: 256 random bits, as text that is safe in a cookie and a header.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// A new one.
    pub(super) fn random() -> Result<Self, RandomError> {
        Ok(Self(URL_SAFE_NO_PAD.encode(random::bytes::<32>()?)))
    }

    /// The token as the client holds it.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The SHA-256 of a token: what the server keeps.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of a token as the client sent it.
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// As it was stored.
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As it is stored.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// How a request carried its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier<'a> {
    /// `authorization: Bearer <token>`.
    Bearer(&'a str),
    /// `cookie: chinwag_session=<token>`.
    Cookie(&'a str),
}

impl<'a> Carrier<'a> {
    /// The token in a request's headers. An `authorization` header counts before a cookie: a program sets it
    /// on purpose, a browser adds cookies by itself.
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

/// The `set-cookie` value that makes a browser keep `token` for `max_age_s` seconds, and forget it at 0.
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

    /// Whether it is over at `now_ms`.
    pub(super) fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_at_ms.load(Ordering::Relaxed) <= now_ms
    }

    /// Moves its end; never to an earlier time.
    pub(super) fn prolong(&self, expires_at_ms: i64) {
        self.expires_at_ms.fetch_max(expires_at_ms, Ordering::Relaxed);
    }
}

/// The remembered sessions.
///
/// Two generations: when the young one is full it becomes the old one, and what was old and not used since is
/// forgotten.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    inner: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<TokenHash, Arc<Session>>,
    old: HashMap<TokenHash, Arc<Session>>,
    /// How many sessions were ended so far.
    ended: u64,
}

/// A moment in the history of ended sessions; see [`Sessions::remember`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(u64);

impl Sessions {
    /// The session if it is remembered, and the moment to hand to [`remember`](Self::remember) if not.
    pub(super) fn get(&self, token: &TokenHash) -> Result<Arc<Session>, Moment> {
        let mut inner = self.lock();
        if let Some(session) = inner.young.get(token) {
            return Ok(session.clone());
        }
        match inner.old.remove(token) {
            Some(session) => {
                inner.insert(session.clone());
                Ok(session)
            }
            None => Err(Moment(inner.ended)),
        }
    }

    /// Remembers a session that was read from the store after `since`, unless some session was ended in
    /// between: it might be this one.
    pub(super) fn remember(&self, session: Arc<Session>, since: Moment) {
        let mut inner = self.lock();
        if inner.ended == since.0 {
            inner.insert(session);
        }
    }

    /// Forgets a session that was ended in the store.
    pub(super) fn end(&self, token: &TokenHash) {
        let mut inner = self.lock();
        inner.ended += 1;
        inner.young.remove(token);
        inner.old.remove(token);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, session: Arc<Session>) {
        if self.young.len() >= REMEMBERED_SESSIONS / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(session.token, session);
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
    fn a_token_is_found_in_either_header_and_the_authorization_counts_first() {
        let none = std::iter::empty::<&str>;
        let find = |a: Option<&'static str>, c: &'static [&'static str]| Carrier::find(a, c.iter().copied());
        assert_eq!(Carrier::find(Some("Bearer abc"), none()), Some(Carrier::Bearer("abc")));
        assert_eq!(Carrier::find(Some("bearer  abc "), none()), Some(Carrier::Bearer("abc")));
        assert_eq!(Carrier::find(Some("Basic abc"), none()), None);
        assert_eq!(Carrier::find(Some("abc"), none()), None);
        assert_eq!(find(None, &["chinwag_session=abc"]), Some(Carrier::Cookie("abc")));
        assert_eq!(find(None, &["a=b; chinwag_session=abc; c=d"]), Some(Carrier::Cookie("abc")));
        assert_eq!(find(None, &["a=b", "chinwag_session=abc"]), Some(Carrier::Cookie("abc")));
        assert_eq!(find(None, &["xchinwag_session=abc"]), None);
        assert_eq!(find(Some("Bearer t"), &["chinwag_session=abc"]), Some(Carrier::Bearer("t")));
        assert_eq!(find(Some("Basic t"), &["chinwag_session=abc"]), None);
    }

    #[test]
    fn the_cookie_is_kept_from_scripts_and_other_sites() {
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
    fn a_session_read_before_another_was_ended_is_not_remembered() {
        let sessions = Sessions::default();
        let a = session("a");
        let before = sessions.get(&a.token).unwrap_err();
        sessions.end(&a.token);
        sessions.remember(a.clone(), before);
        let after = sessions.get(&a.token).unwrap_err();
        sessions.remember(a.clone(), after);
        assert!(sessions.get(&a.token).is_ok());
        sessions.end(&a.token);
        assert!(sessions.get(&a.token).is_err());
    }

    #[test]
    fn memory_is_bounded_and_keeps_what_is_used() {
        let sessions = Sessions::default();
        let used = session("used");
        let moment = sessions.get(&used.token).unwrap_err();
        sessions.remember(used.clone(), moment);
        for n in 0..REMEMBERED_SESSIONS * 2 {
            sessions.remember(session(&n.to_string()), moment);
            if n % 1_000 == 0 {
                assert!(sessions.get(&used.token).is_ok(), "after {n} others");
            }
        }
        let inner = sessions.lock();
        assert!(inner.young.len() + inner.old.len() <= REMEMBERED_SESSIONS);
    }
}
