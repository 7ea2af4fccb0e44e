//! Rate limits per user, per network, and in all.
//!
//! Knows no gRPC and no chat: users are numbers, networks are addresses. An action that its user's limit refuses is not
//! counted for the network, so that one user's flood does not use up what their network may do. A repeated action counts
//! again, even with an operation id: only the database knows that it is a repeat.

mod limiter;
mod rate;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Extensions;
use parking_lot::Mutex;
use tonic_serve::ClientAddress;

use self::limiter::{DirectLimiter, KeyedLimiter};

pub use self::limiter::{MAX_KEYS, SHARED_KEYS};
pub use self::rate::Rate;

/// Interval between two clean-ups of the limiters, and between two log lines about refused calls.
const CLEAN_UP_INTERVAL: Duration = Duration::from_secs(60);

/// Shortest delay that is announced to a client that shares a limit with others.
const MIN_SHARED_DELAY: Duration = Duration::from_secs(1);

/// See [`RateLimits::join_address`].
pub const JOIN_ADDRESS: Rate = Rate::new(60, 1, Duration::from_secs(2));
/// See [`RateLimits::join_all`].
pub const JOIN_ALL: Rate = Rate::new(500, 100, Duration::from_secs(1));
/// See [`RateLimits::room_user`].
pub const ROOM_USER: Rate = Rate::new(10, 1, Duration::from_secs(60));
/// See [`RateLimits::room_address`].
pub const ROOM_ADDRESS: Rate = Rate::new(50, 5, Duration::from_secs(60));
/// See [`RateLimits::room_all`].
pub const ROOM_ALL: Rate = Rate::new(100, 1, Duration::from_secs(1));
/// See [`RateLimits::send_user`].
pub const SEND_USER: Rate = Rate::new(60, 5, Duration::from_secs(1));
/// See [`RateLimits::send_address`].
pub const SEND_ADDRESS: Rate = Rate::new(1_000, 200, Duration::from_secs(1));
/// See [`RateLimits::send_all`].
pub const SEND_ALL: Rate = Rate::new(10_000, 5_000, Duration::from_secs(1));
/// See [`RateLimits::call_user`].
pub const CALL_USER: Rate = Rate::new(1_000, 200, Duration::from_secs(1));
/// See [`RateLimits::anonymous_address`].
pub const ANONYMOUS_ADDRESS: Rate = Rate::new(200, 50, Duration::from_secs(1));
/// See [`RateLimits::anonymous_all`].
pub const ANONYMOUS_ALL: Rate = Rate::new(10_000, 5_000, Duration::from_secs(1));

/// The rate limits. The defaults fit a person, and an office whose people share one address. "Address" is an IPv4
/// address, or the first 64 bits of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Joins from one address. Default 60 at once, then one in 2 s: an office that joins together, including attempts
    /// with a name that is taken.
    pub join_address: Rate,
    /// Joins in all. Default 500 at once, then 100/s.
    pub join_all: Rate,
    /// Rooms created by one user. Default 10 at once, then one a minute.
    pub room_user: Rate,
    /// Rooms created from one address. Default 50 at once, then five a minute.
    pub room_address: Rate,
    /// Rooms created in all. Default 100 at once, then one a second.
    pub room_all: Rate,
    /// Messages of one user. Default 60 at once, then 5/s: more than anybody types or pastes.
    pub send_user: Rate,
    /// Messages from one address. Default 1,000 at once, then 200/s.
    pub send_address: Rate,
    /// Messages in all. Default 10,000 at once, then 5,000/s.
    pub send_all: Rate,
    /// All other calls of one user. Default 1,000 at once, then 200/s.
    pub call_user: Rate,
    /// Calls without a valid session from one address, `Join` excluded: the Greeter's, reflection's, and the chat's
    /// without a session or with an expired one. Health checks have a limit of the same size. Default 200 at once, then
    /// 50/s.
    pub anonymous_address: Rate,
    /// The same in all, health checks excluded. Default 10,000 at once, then 5,000/s.
    pub anonymous_all: Rate,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            join_address: JOIN_ADDRESS,
            join_all: JOIN_ALL,
            room_user: ROOM_USER,
            room_address: ROOM_ADDRESS,
            room_all: ROOM_ALL,
            send_user: SEND_USER,
            send_address: SEND_ADDRESS,
            send_all: SEND_ALL,
            call_user: CALL_USER,
            anonymous_address: ANONYMOUS_ADDRESS,
            anonymous_all: ANONYMOUS_ALL,
        }
    }
}

impl RateLimits {
    /// No limits: for load tests.
    pub const OFF: Self = Self {
        join_address: Rate::OFF,
        join_all: Rate::OFF,
        room_user: Rate::OFF,
        room_address: Rate::OFF,
        room_all: Rate::OFF,
        send_user: Rate::OFF,
        send_address: Rate::OFF,
        send_all: Rate::OFF,
        call_user: Rate::OFF,
        anonymous_address: Rate::OFF,
        anonymous_all: Rate::OFF,
    };
}

/// A limited action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `Join`.
    Join,
    /// `CreateRoom`.
    CreateRoom,
    /// `SendMessage`.
    Send,
    /// Any other call of a user.
    Call,
    /// A call without a valid session.
    Anonymous,
}

/// Whose limit was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user.
    User,
    /// Everybody who shares the user's address.
    Address,
    /// Everybody together.
    All,
}

impl Action {
    /// Every action with its name in metrics, in the order of the variants.
    const ALL: [(Self, &'static str); 5] = [
        (Self::Join, "join"),
        (Self::CreateRoom, "create_room"),
        (Self::Send, "send"),
        (Self::Call, "call"),
        (Self::Anonymous, "anonymous"),
    ];
}

impl Scope {
    /// Every scope with its name in metrics, in the order of the variants.
    const ALL: [(Self, &'static str); 3] =
        [(Self::User, "user"), (Self::Address, "address"), (Self::All, "all")];
}

/// An action exceeded its rate limit. Displays as a sentence for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} Try again in {}.", self.sentence(), RoundedUp(*after))]
pub struct RateExceeded {
    /// The refused action.
    pub action: Action,
    /// Whose limit was exceeded.
    pub scope: Scope,
    /// Delay until the next attempt; whole milliseconds.
    pub after: Duration,
}

impl RateExceeded {
    fn sentence(&self) -> &'static str {
        match (self.action, self.scope) {
            (Action::Join, Scope::All) => "Too many people are joining at the moment.",
            (Action::Join, _) => "Too many people have joined from your network in a short time.",
            (Action::CreateRoom, Scope::User) => "You have made many rooms in a short time.",
            (Action::CreateRoom, Scope::Address) => "Many rooms were made from your network in a short time.",
            (Action::CreateRoom, Scope::All) => "Many rooms were made in a short time.",
            (Action::Send, Scope::User) => "You have sent many messages in a short time.",
            (Action::Send, Scope::Address) => "Many messages were sent from your network in a short time.",
            (Action::Send, Scope::All) => "More messages are being sent than this server takes.",
            (Action::Call, _) => "You have made many requests in a short time.",
            (Action::Anonymous, Scope::All) => "Too many requests come from people who have not joined.",
            (Action::Anonymous, _) => "Too many requests came from your network without a valid session.",
        }
    }
}

/// A duration in words, rounded up.
struct RoundedUp(Duration);

impl fmt::Display for RoundedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_millis().div_ceil(1_000).max(1);
        let (number, unit) = match seconds {
            ..120 => (seconds, "second"),
            120..7_200 => (seconds.div_ceil(60), "minute"),
            _ => (seconds.div_ceil(3_600), "hour"),
        };
        write!(f, "{number} {unit}{}", if number == 1 { "" } else { "s" })
    }
}

/// The client network of a request with these extensions.
pub fn client_network(extensions: &Extensions) -> IpAddr {
    // Every request over a socket has an address. In-process requests without one share a limit.
    let address = extensions.get::<ClientAddress>();
    address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.network())
}

/// All rate limiters. Each limits at most [`MAX_KEYS`] users or networks individually.
#[derive(Debug)]
pub struct Rates {
    join_address: KeyedLimiter<IpAddr>,
    join_all: DirectLimiter,
    room_user: KeyedLimiter<i64>,
    room_address: KeyedLimiter<IpAddr>,
    room_all: DirectLimiter,
    send_user: KeyedLimiter<i64>,
    send_address: KeyedLimiter<IpAddr>,
    send_all: DirectLimiter,
    call_user: KeyedLimiter<i64>,
    anonymous_address: KeyedLimiter<IpAddr>,
    anonymous_all: DirectLimiter,
    health_address: KeyedLimiter<IpAddr>,
    /// Networks with too many calls without a valid session, and until when their tokens are not looked up. At most
    /// [`MAX_KEYS`]; a network beyond that is refused only after a look-up.
    blocked: Mutex<HashMap<IpAddr, Instant>>,
    /// Refused actions since the last log line.
    refused: AtomicU64,
    /// Refused actions since the start, by action and scope.
    refusals: [[AtomicU64; Scope::ALL.len()]; Action::ALL.len()],
}

impl Rates {
    /// Limiters with nothing counted.
    pub fn new(limits: &RateLimits) -> Self {
        Self {
            join_address: KeyedLimiter::new(limits.join_address),
            join_all: DirectLimiter::new(limits.join_all),
            room_user: KeyedLimiter::new(limits.room_user),
            room_address: KeyedLimiter::new(limits.room_address),
            room_all: DirectLimiter::new(limits.room_all),
            send_user: KeyedLimiter::new(limits.send_user),
            send_address: KeyedLimiter::new(limits.send_address),
            send_all: DirectLimiter::new(limits.send_all),
            call_user: KeyedLimiter::new(limits.call_user),
            anonymous_address: KeyedLimiter::new(limits.anonymous_address),
            anonymous_all: DirectLimiter::new(limits.anonymous_all),
            health_address: KeyedLimiter::new(limits.anonymous_address),
            blocked: Mutex::default(),
            refused: AtomicU64::new(0),
            refusals: Default::default(),
        }
    }

    /// Counts a `Join` from `network`.
    pub fn join(&self, network: IpAddr) -> Result<(), RateExceeded> {
        self.refuse(Action::Join, Scope::Address, self.join_address.check(network))?;
        self.refuse(Action::Join, Scope::All, self.join_all.check())
    }

    /// Counts a `CreateRoom` of `user`.
    pub fn create_room(&self, user: i64, network: IpAddr) -> Result<(), RateExceeded> {
        // The narrowest scope first: an action refused there is not counted for others.
        self.refuse(Action::CreateRoom, Scope::User, self.room_user.check(user))?;
        self.refuse(Action::CreateRoom, Scope::Address, self.room_address.check(network))?;
        self.refuse(Action::CreateRoom, Scope::All, self.room_all.check())
    }

    /// Counts a `SendMessage` of `user`.
    pub fn send(&self, user: i64, network: IpAddr) -> Result<(), RateExceeded> {
        self.refuse(Action::Send, Scope::User, self.send_user.check(user))?;
        self.refuse(Action::Send, Scope::Address, self.send_address.check(network))?;
        self.refuse(Action::Send, Scope::All, self.send_all.check())
    }

    /// Counts any other call of `user`.
    pub fn call(&self, user: i64) -> Result<(), RateExceeded> {
        self.refuse(Action::Call, Scope::User, self.call_user.check(user))
    }

    /// Counts a call from `network` whose token was looked up and not found. Over the limit, further look-ups are blocked
    /// for a while.
    pub fn unknown_token(&self, network: IpAddr) -> Result<(), RateExceeded> {
        let checked = self.anonymous(network);
        if let Err(RateExceeded { scope: Scope::Address, after, .. }) = &checked {
            let mut blocked = self.blocked.lock();
            if blocked.len() < MAX_KEYS || blocked.contains_key(&network) {
                blocked.insert(network, Instant::now() + *after);
            }
        }
        checked
    }

    /// Counts a call from `network` without a session.
    pub fn anonymous(&self, network: IpAddr) -> Result<(), RateExceeded> {
        let checked = self.anonymous_address.check(network);
        self.refuse(Action::Anonymous, Scope::Address, checked)?;
        self.refuse(Action::Anonymous, Scope::All, self.anonymous_all.check())
    }

    /// Checks that tokens from `network` may be looked up in the database. Counts nothing:
    /// [`unknown_token`](Self::unknown_token) counts when the token is not found.
    pub fn check_look_up(&self, network: IpAddr) -> Result<(), RateExceeded> {
        let until = self.blocked.lock().get(&network).copied();
        let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
        match wait {
            Some(wait) if !wait.is_zero() => {
                let wait = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) + 1);
                self.refuse(Action::Anonymous, Scope::Address, Err(wait))
            }
            _ => Ok(()),
        }
    }

    /// Counts a health check from `network`.
    pub fn health(&self, network: IpAddr) -> Result<(), RateExceeded> {
        self.refuse(Action::Anonymous, Scope::Address, self.health_address.check(network))
    }

    /// Refused actions since the start: the names of action and scope, and their number.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        Action::ALL.into_iter().flat_map(move |(action, action_name)| {
            Scope::ALL.into_iter().map(move |(scope, scope_name)| {
                let refused = &self.refusals[action as usize][scope as usize];
                (action_name, scope_name, refused.load(Ordering::Relaxed))
            })
        })
    }

    /// Removes idle limiter entries and logs the number of refused calls, once a minute. Runs until dropped.
    pub async fn clean_up_regularly(self: Arc<Self>) {
        let mut interval = tokio::time::interval(CLEAN_UP_INTERVAL);
        loop {
            interval.tick().await;
            self.clean_up();
        }
    }

    fn clean_up(&self) {
        for users in [&self.room_user, &self.send_user, &self.call_user] {
            users.retain_recent();
        }
        let addresses = [
            &self.join_address,
            &self.room_address,
            &self.send_address,
            &self.anonymous_address,
            &self.health_address,
        ];
        for networks in addresses {
            networks.retain_recent();
        }
        let now = Instant::now();
        let mut blocked = self.blocked.lock();
        blocked.retain(|_, until| *until > now);
        blocked.shrink_to_fit();
        drop(blocked);
        let refused = self.refused.swap(0, Ordering::Relaxed);
        if refused > 0 {
            tracing::warn!(
                rates.refused = refused,
                rates.seconds = CLEAN_UP_INTERVAL.as_secs(),
                "calls were refused because they came too often"
            );
        }
    }

    fn refuse(
        &self,
        action: Action,
        scope: Scope,
        checked: Result<(), Duration>,
    ) -> Result<(), RateExceeded> {
        checked.map_err(|due| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.refusals[action as usize][scope as usize].fetch_add(1, Ordering::Relaxed);
            RateExceeded { action, scope, after: if scope == Scope::User { due } else { add_jitter(due) } }
        })
    }
}

/// Adds jitter to the delay of a shared limit. The next action is due for only one client: with equal delays all of them
/// would return at once, again and again.
fn add_jitter(due: Duration) -> Duration {
    let after = due.max(MIN_SHARED_DELAY).mul_f64(1.0 + fastrand::f64());
    Duration::from_millis(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
