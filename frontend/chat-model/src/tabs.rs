//! The tabs of one browser: they elect a leader, which has the only stream and is the only sender. It decides; locks, channels and timers
//! are elsewhere.
//!
//! The leader holds a lock, which the browser passes on when the leader's tab closes, and which a tab gives back when the browser freezes
//! it. A tab that stops without notice keeps its lock, so followers that are visible ping the leader, and one of them steals the lock when
//! no answer comes.

#[cfg(test)]
mod tests;

/// Interval between two pings of a visible follower, in milliseconds.
pub const PING_INTERVAL_MS: u32 = 450;

/// Pings without an answer after which the lock is stolen. With the interval: after 1.35 s to 1.8 s.
const MAX_UNANSWERED: u32 = 3;

/// Time for which a leader may be hidden before a visible tab takes the lock, in milliseconds: browsers delay the timers of tabs that
/// are hidden for long. Not at once, so that looking at another tab does not move the stream.
const MAX_HIDDEN_MS: f64 = 60_000.0;

/// The part of a tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It wants no stream, because nobody is signed in.
    #[default]
    Idle,
    /// It has a stream of its own only to catch up; then the leader passes on the frames.
    Follower,
    /// It has the stream and sends the messages of all tabs.
    Leader,
    /// The browser has frozen it. It answers pings, but no stream and no timer goes on, so it takes no part.
    Frozen,
}

/// A leader, as its messages name it. A later one has a higher term.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Term {
    /// Time at which it took the lock, in milliseconds since the Unix epoch.
    pub since_ms: f64,
    /// The tab's random number, which orders leaders of the same millisecond.
    pub tab: f64,
}

/// Something that the tab has to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TabAction {
    /// Queue for the lock.
    QueueForLock,
    /// Take the lock from the leader.
    StealLock,
    /// Give the lock back, and leave the queue.
    ReleaseLock,
    /// Ask the leader for a sign of life.
    Ping,
    /// Tell the other tabs that this one leads, and the state of its stream.
    Announce,
    /// Start the stream, from the cursors, to lead or to catch up.
    OpenStream,
    /// End the stream.
    CloseStream,
    /// Send the messages that no leader has sent.
    SendAll,
}

/// A tab's view of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Tabs {
    /// This tab's random number.
    tab: f64,
    role: Role,
    /// The newest leader that is known.
    leader: Option<Term>,
    unanswered: u32,
    /// Whether the leader has been hidden for long.
    is_leader_hidden: bool,
}

impl Tabs {
    /// A tab that wants no stream yet.
    pub fn new(tab: f64) -> Tabs {
        Tabs { tab, role: Role::Idle, leader: None, unanswered: 0, is_leader_hidden: false }
    }

    /// The tab's part.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The newest leader that is known.
    pub fn leader(&self) -> Option<Term> {
        self.leader
    }

    /// A user is signed in: the tab catches up, and queues for the lock.
    pub fn start(&mut self) -> Vec<TabAction> {
        self.role = Role::Follower;
        self.unanswered = 0;
        vec![TabAction::QueueForLock, TabAction::OpenStream, TabAction::Ping]
    }

    /// Nobody is signed in any more.
    pub fn stop(&mut self) -> Vec<TabAction> {
        self.role = Role::Idle;
        self.leader = None;
        vec![TabAction::CloseStream, TabAction::ReleaseLock]
    }

    /// The browser gave the lock to this tab.
    pub fn lock_granted(&mut self, now_ms: f64) -> Vec<TabAction> {
        if matches!(self.role, Role::Idle | Role::Frozen) {
            return vec![TabAction::ReleaseLock];
        }
        self.role = Role::Leader;
        // The clock of all tabs is the same one, and may be set back.
        let last_ms = self.leader.map_or(0.0, |leader| leader.since_ms);
        self.leader = Some(Term { since_ms: now_ms.max(last_ms + 1.0), tab: self.tab });
        // A stream that catches up goes on as the leader's.
        vec![TabAction::Announce, TabAction::OpenStream, TabAction::SendAll]
    }

    /// Another tab stole the lock, because this one gave no sign of life. Its state may be old, so it catches up.
    pub fn lock_lost(&mut self) -> Vec<TabAction> {
        match self.role {
            Role::Idle | Role::Frozen => return Vec::new(),
            // It has stepped down already.
            Role::Follower => return vec![TabAction::QueueForLock],
            Role::Leader => {}
        }
        self.role = Role::Follower;
        self.unanswered = 0;
        vec![TabAction::CloseStream, TabAction::QueueForLock, TabAction::OpenStream, TabAction::Ping]
    }

    /// All events up to the heads have come over this tab's own stream.
    pub fn caught_up(&self) -> Vec<TabAction> {
        match self.role {
            Role::Follower => vec![TabAction::CloseStream],
            _ => Vec::new(),
        }
    }

    /// Another tab asks for a sign of life.
    pub fn pinged(&self) -> Vec<TabAction> {
        match self.role {
            Role::Leader => vec![TabAction::Announce],
            _ => Vec::new(),
        }
    }

    /// A tab says that it leads, and for how long it has been hidden. An older leader steps down.
    pub fn announced(&mut self, term: Term, hidden_ms: f64) -> Vec<TabAction> {
        if self.leader.is_some_and(|leader| leader > term) {
            return Vec::new();
        }
        self.unanswered = 0;
        let actions = if self.role == Role::Leader { self.lock_lost() } else { Vec::new() };
        self.leader = Some(term);
        self.is_leader_hidden = hidden_ms > MAX_HIDDEN_MS;
        actions
    }

    /// Whether a message of a leader counts.
    pub fn follows(&self, term: Term) -> bool {
        self.role == Role::Follower && self.leader == Some(term)
    }

    /// The interval between two pings has passed in a visible tab.
    pub fn tick(&mut self) -> Vec<TabAction> {
        if self.role != Role::Follower {
            return Vec::new();
        }
        if self.unanswered >= MAX_UNANSWERED || self.is_leader_hidden {
            self.unanswered = 0;
            self.is_leader_hidden = false;
            return vec![TabAction::StealLock];
        }
        self.unanswered += 1;
        vec![TabAction::Ping]
    }

    /// The browser freezes the tab.
    pub fn frozen(&mut self) -> Vec<TabAction> {
        if self.role == Role::Idle {
            return Vec::new();
        }
        self.role = Role::Frozen;
        vec![TabAction::CloseStream, TabAction::ReleaseLock]
    }

    /// The browser wakes the tab: it has missed what the leader said.
    pub fn resumed(&mut self) -> Vec<TabAction> {
        match self.role {
            Role::Frozen => self.start(),
            _ => Vec::new(),
        }
    }
}
