//! How often people may do what costs the server something: for each user, for each network, and for all
//! together.
//!
//! Knows no gRPC and no chat: users are numbers and networks addresses. An action that its user's rate refuses
//! is counted for nobody, so that one user's flood does not use up what their network may do. An action that is
//! repeated is counted again, also when it has an operation id: whether it is a repeat is known only once the
//! database was asked.

mod limiter;
mod rate;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Extensions;
use tonic_serve::ClientAddress;

use self::limiter::{DirectLimiter, KeyedLimiter};

pub use self::limiter::{MAX_KEYS, SHARED_KEYS};
pub use self::rate::Rate;

/// How often the limiters forget what they no longer need, and how often the number of refused calls is logged.
const CLEAN_UP_INTERVAL: Duration = Duration::from_secs(60);

/// The shortest time after which somebody who shares a limit with others is told to come back.
const SHARED_PAUSE: Duration = Duration::from_secs(1);

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

/// The rates. The defaults let a person do at once what a person does, and an office do what its people do,
/// who share one address. "Address" is an IPv4 address, or the first 64 bits of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Joins from one address. Default 60 at once, then one in 2 s: an office that joins together, with the
    /// tries that find a name taken.
    pub join_address: Rate,
    /// Joins in all. Default 500 at once, then 100/s.
    pub join_all: Rate,
    /// Rooms that one user makes. Default 10 at once, then one a minute.
    pub room_user: Rate,
    /// Rooms that are made from one address. Default five times that.
    pub room_address: Rate,
    /// Rooms that are made in all. Default 100 at once, then one a second.
    pub room_all: Rate,
    /// Messages of one user. Default 60 at once, then 5/s: more than anybody types or pastes.
    pub send_user: Rate,
    /// Messages from one address. Default 1,000 at once, then 200/s.
    pub send_address: Rate,
    /// Messages in all. Default 10,000 at once, then 5,000/s.
    pub send_all: Rate,
    /// Calls of one user that are none of these. Default 1,000 at once, then 200/s.
    pub call_user: Rate,
    /// Calls from one address that no valid session belongs to, `Join` aside: those of the Greeter, of
    /// reflection, and those of the chat without a session or with one that is over. Questions after the
    /// server's health are counted by themselves. Default 200 at once, then 50/s.
    pub anonymous_address: Rate,
    /// The same in all, health aside. Default 10,000 at once, then 5,000/s.
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
    /// No limit at all: for servers that are loaded on purpose.
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

/// What is limited.
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

/// Who has done too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user.
    User,
    /// All who share the user's address.
    Address,
    /// Everybody together.
    All,
}

/// An action came too often. It reads as a sentence for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} Try again in {}.", self.sentence(), Spoken(*after))]
pub struct TooOften {
    /// What came.
    pub action: Action,
    /// Whose limit it was.
    pub scope: Scope,
    /// When it may be tried again; whole milliseconds.
    pub after: Duration,
}

impl TooOften {
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

/// A time as people say it, never shorter than it is.
struct Spoken(Duration);

impl fmt::Display for Spoken {
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

/// The network that a request with these extensions came from.
pub fn network(extensions: &Extensions) -> IpAddr {
    // Every request over a socket has an address; those that have none are counted together.
    let address = extensions.get::<ClientAddress>();
    address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.network())
}

/// Counts what is done. Each limiter remembers at most [`MAX_KEYS`] users or networks by themselves.
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
    /// The networks that made too many calls without a valid session, and until when no session is looked up
    /// for them. At most [`MAX_KEYS`]; one more is refused only after its token was looked up.
    blocked: Mutex<HashMap<IpAddr, Instant>>,
    /// Actions refused since that was last logged.
    refused: AtomicU64,
}

impl Rates {
    /// Limiters that have counted nothing yet.
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
        }
    }

    /// Somebody on `network` wants to join.
    pub fn join(&self, network: IpAddr) -> Result<(), TooOften> {
        self.refuse(Action::Join, Scope::Address, self.join_address.check(network))?;
        self.refuse(Action::Join, Scope::All, self.join_all.check())
    }

    /// `user` wants to make a room.
    pub fn create_room(&self, user: i64, network: IpAddr) -> Result<(), TooOften> {
        // The narrowest first: what is refused there is not counted for others.
        self.refuse(Action::CreateRoom, Scope::User, self.room_user.check(user))?;
        self.refuse(Action::CreateRoom, Scope::Address, self.room_address.check(network))?;
        self.refuse(Action::CreateRoom, Scope::All, self.room_all.check())
    }

    /// `user` wants to send a message.
    pub fn send(&self, user: i64, network: IpAddr) -> Result<(), TooOften> {
        self.refuse(Action::Send, Scope::User, self.send_user.check(user))?;
        self.refuse(Action::Send, Scope::Address, self.send_address.check(network))?;
        self.refuse(Action::Send, Scope::All, self.send_all.check())
    }

    /// `user` makes another call.
    pub fn call(&self, user: i64) -> Result<(), TooOften> {
        self.refuse(Action::Call, Scope::User, self.call_user.check(user))
    }

    /// The token of a call from `network` was looked up and is not known. A network that goes on so is told to wait
    /// before the next look-up.
    pub fn unknown_token(&self, network: IpAddr) -> Result<(), TooOften> {
        let checked = self.anonymous(network);
        if let Err(TooOften { scope: Scope::Address, after, .. }) = &checked {
            let mut blocked = self.blocked();
            if blocked.len() < MAX_KEYS || blocked.contains_key(&network) {
                blocked.insert(network, Instant::now() + *after);
            }
        }
        checked
    }

    /// A call from `network` has no session.
    pub fn anonymous(&self, network: IpAddr) -> Result<(), TooOften> {
        let checked = self.anonymous_address.check(network);
        self.refuse(Action::Anonymous, Scope::Address, checked)?;
        self.refuse(Action::Anonymous, Scope::All, self.anonymous_all.check())
    }

    /// A call from `network` has a token that has to be looked up in the database. It is not counted here:
    /// [`unknown_token`](Self::unknown_token) counts it when the token is not found.
    pub fn look_up(&self, network: IpAddr) -> Result<(), TooOften> {
        let until = self.blocked().get(&network).copied();
        let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
        match wait {
            Some(wait) if !wait.is_zero() => {
                let wait = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) + 1);
                self.refuse(Action::Anonymous, Scope::Address, Err(wait))
            }
            _ => Ok(()),
        }
    }

    /// Somebody on `network` asks after the server's health.
    pub fn health(&self, network: IpAddr) -> Result<(), TooOften> {
        self.refuse(Action::Anonymous, Scope::Address, self.health_address.check(network))
    }

    /// Forgets what is no longer needed and logs how much was refused, once a minute. Runs until it is
    /// dropped.
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
        let mut blocked = self.blocked();
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

    fn refuse(&self, action: Action, scope: Scope, checked: Result<(), Duration>) -> Result<(), TooOften> {
        checked.map_err(|due| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            TooOften { action, scope, after: if scope == Scope::User { due } else { spread(due) } }
        })
    }

    fn blocked(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When one of many who share a limit comes back. The next action is due for one of them alone: told the same
/// time, all of them would come at once, and again, each time for one of them.
fn spread(due: Duration) -> Duration {
    let after = due.max(SHARED_PAUSE).mul_f64(1.0 + fastrand::f64());
    Duration::from_millis(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
