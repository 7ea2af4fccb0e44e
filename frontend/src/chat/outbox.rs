//! What was written here and is not stored by the server yet: one queue per room, strictly first in,
//! first out. Plain data; keeping it over a reload is [`super::outbox_store`]'s, sending it the
//! session's.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use tonic::{Code, Status};
use uuid::Uuid;

use super::state::Author;

/// A message that waited longer is not sent by itself: what was meant for last night may be wrong
/// this morning.
pub(crate) const TOO_OLD_MS: i64 = 24 * 60 * 60 * 1_000;

/// How often a message may fail with an error that is not the network's before it counts as not
/// sent. Without it one message that the server cannot digest would hold up all that follow.
const ATTEMPTS_MAX: u32 = 8;

/// The longest wait that a server can ask for. A longer one is tried after this time: a mistake of the server
/// must not hold messages for a day.
const LONGEST_HOLD_MS: i64 = 5 * 60 * 1_000;

/// The shortest. A server that asks for no wait at all must not be asked again in the same moment.
const SHORTEST_HOLD_MS: i64 = 250;

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Made once, the same at every attempt.
    pub(crate) operation_id: Uuid,
    pub(crate) room_id: String,
    pub(crate) text: Arc<str>,
    /// When it was written, by this machine's clock.
    pub(crate) at_ms: i64,
    pub(crate) author: Arc<Author>,
    pub(crate) state: PendingState,
    attempts: u32,
}

/// How a pending message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PendingState {
    /// Waits for its turn or for the network.
    Waiting,
    /// A call is running.
    Sending,
    /// The server stored it at this place; the log has not come to it yet.
    Stored { epoch: u64, seq: u64 },
    /// It is not sent by itself any more.
    NotSent(Reason),
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The server refused it.
    Refused(Refusal),
    /// It waited for more than a day.
    TooOld,
    /// Somebody else wrote it in this browser, whose session has ended.
    OtherUser,
}

/// A refusal as far as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl From<&Status> for Refusal {
    fn from(status: &Status) -> Refusal {
        // What this side of the network has to say is in English; the code has words in both languages.
        let message = match tonic_web_channel::Error::from_status(status) {
            Some(_) => String::new(),
            None => status.message().to_owned(),
        };
        Refusal { code: status.code(), message }
    }
}

/// What has to be kept or forgotten on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Keep this message.
    Keep(Pending),
    /// Forget the message of this author.
    Forget { author_id: String, operation_id: Uuid },
    /// Forget it, and let other tabs know that it must not be sent.
    Discard { author_id: String, operation_id: Uuid },
}

/// All pending messages, in the order in which they were written.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    user_id: String,
    pending: Vec<Pending>,
    changes: Vec<Change>,
    paused: bool,
    /// The server asked to wait until then, by this machine's clock.
    held_until_ms: Option<i64>,
}

impl Outbox {
    /// An empty outbox of this user.
    pub(crate) fn new(user_id: &str) -> Outbox {
        Outbox { user_id: user_id.to_owned(), ..Outbox::default() }
    }

    /// Takes in what was kept on disk, by an earlier page or by another tab.
    pub(crate) fn restore(&mut self, kept: impl IntoIterator<Item = Kept>, now_ms: i64) {
        for kept in kept {
            if self.find(kept.operation_id).is_some() {
                continue;
            }
            let state = if kept.author.id != self.user_id {
                PendingState::NotSent(Reason::OtherUser)
            } else if now_ms - kept.at_ms > TOO_OLD_MS {
                PendingState::NotSent(Reason::TooOld)
            } else {
                PendingState::Waiting
            };
            self.insert(Pending {
                operation_id: kept.operation_id,
                room_id: kept.room_id,
                text: kept.text.into(),
                at_ms: kept.at_ms,
                author: Arc::new(kept.author),
                state,
                attempts: 0,
            });
        }
    }

    /// A message that the person has written just now.
    pub(crate) fn add(
        &mut self,
        operation_id: Uuid,
        author: Arc<Author>,
        room_id: &str,
        text: &str,
        now_ms: i64,
    ) {
        let pending = Pending {
            operation_id,
            room_id: room_id.to_owned(),
            text: text.into(),
            at_ms: now_ms,
            author,
            state: PendingState::Waiting,
            attempts: 0,
        };
        self.changes.push(Change::Keep(pending.clone()));
        self.pending.push(pending);
    }

    /// A room's messages, first written first.
    pub(crate) fn of_room<'a>(&'a self, room_id: &'a str) -> impl Iterator<Item = &'a Pending> {
        self.pending.iter().filter(move |pending| pending.room_id == room_id)
    }

    /// Every message.
    #[cfg(test)]
    pub(crate) fn all(&self) -> &[Pending] {
        &self.pending
    }

    /// The messages whose turn it is, marked as being sent: the first that waits of every room where
    /// none is being sent.
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Vec<Pending> {
        self.age(now_ms);
        if self.paused || self.held_for_ms(now_ms).is_some() {
            return Vec::new();
        }
        let is_sending = |pending: &&Pending| pending.state == PendingState::Sending;
        let mut busy: HashSet<String> =
            self.pending.iter().filter(is_sending).map(|pending| pending.room_id.clone()).collect();
        let mut due = Vec::new();
        for pending in &mut self.pending {
            if pending.state == PendingState::Waiting && busy.insert(pending.room_id.clone()) {
                pending.state = PendingState::Sending;
                due.push(pending.clone());
            }
        }
        due
    }

    /// Whether anything waits for its turn.
    pub(crate) fn is_waiting(&self) -> bool {
        self.pending.iter().any(|pending| pending.state == PendingState::Waiting)
    }

    /// Stops sending until [`Outbox::resume`]: the last attempt failed in a way that may pass.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    /// For how much longer the server asked to wait; `None` when it did not, or that time has passed.
    pub(crate) fn held_for_ms(&self, now_ms: i64) -> Option<i64> {
        // More than the longest wait is left when this machine's clock was set back: that ends the wait.
        self.held_until_ms.map(|until| until - now_ms).filter(|left| (1..=LONGEST_HOLD_MS).contains(left))
    }

    /// Sends again: the connection is back, or enough time has passed. A wait that the server asked for
    /// goes on.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
    }

    /// The server said where it stored a message. It is still pending until the log has come to
    /// that place, but never sent again. None when it was settled before.
    pub(crate) fn stored(&mut self, operation_id: Uuid, epoch: u64, seq: u64) -> Option<Pending> {
        let at = self.find(operation_id)?;
        self.forget(at);
        self.pending[at].state = PendingState::Stored { epoch, seq };
        Some(self.pending[at].clone())
    }

    /// The message is in the log.
    pub(crate) fn settle(&mut self, operation_id: Uuid) {
        if let Some(at) = self.find(operation_id) {
            if !matches!(self.pending[at].state, PendingState::Stored { .. }) {
                self.forget(at);
            }
            self.pending.remove(at);
        }
    }

    /// Removes the stored messages whose place the log has reached.
    pub(crate) fn settle_stored(&mut self, reached: impl Fn(&str, u64, u64) -> bool) {
        self.pending.retain(|pending| match pending.state {
            PendingState::Stored { epoch, seq } => !reached(&pending.room_id, epoch, seq),
            _ => true,
        });
    }

    /// An attempt failed. A failure that may pass leaves the message waiting, and all others with it; any other
    /// means that the message is not sent. A server that says when to come again (a rate, a full disk) has not
    /// failed at the message: the attempt does not count, and nothing is sent before that time.
    pub(crate) fn failed(&mut self, operation_id: Uuid, status: &Status, now_ms: i64) {
        let Some(at) = self.find(operation_id) else { return };
        let pending = &mut self.pending[at];
        if pending.state != PendingState::Sending {
            return;
        }
        if may_pass(status.code())
            && let Some(wait) = tonic_web_channel::retry::retry_after(status)
        {
            pending.state = PendingState::Waiting;
            let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            let wait_ms = wait_ms.clamp(SHORTEST_HOLD_MS, LONGEST_HOLD_MS);
            let held_ms = self.held_for_ms(now_ms).unwrap_or_default();
            self.held_until_ms = Some(now_ms + wait_ms.max(held_ms));
            return;
        }
        pending.attempts += u32::from(!is_network(status.code()));
        if may_pass(status.code()) && pending.attempts < ATTEMPTS_MAX {
            pending.state = PendingState::Waiting;
            self.pause();
        } else {
            pending.state = PendingState::NotSent(Reason::Refused(status.into()));
        }
    }

    /// "Try again". A message of somebody else becomes this user's.
    pub(crate) fn try_again(&mut self, operation_id: Uuid, user: &Arc<Author>, now_ms: i64) {
        let Some(at) = self.find(operation_id) else { return };
        if !matches!(self.pending[at].state, PendingState::NotSent(_)) {
            return;
        }
        if self.pending[at].author.id != user.id {
            self.forget(at);
        }
        let pending = &mut self.pending[at];
        pending.author = user.clone();
        pending.at_ms = now_ms;
        pending.attempts = 0;
        pending.state = PendingState::Waiting;
        let pending = pending.clone();
        self.changes.push(Change::Keep(pending));
        self.resume();
    }

    /// "Discard": only what is not being sent.
    pub(crate) fn discard(&mut self, operation_id: Uuid) {
        if let Some(at) = self.find(operation_id)
            && matches!(self.pending[at].state, PendingState::NotSent(_))
        {
            let pending = self.pending.remove(at);
            self.changes.push(Change::Discard { author_id: pending.author.id.clone(), operation_id });
        }
    }

    /// Another tab discarded it.
    pub(crate) fn discarded_elsewhere(&mut self, operation_id: Uuid) {
        self.pending.retain(|pending| {
            let untouched = matches!(pending.state, PendingState::Waiting | PendingState::NotSent(_));
            pending.operation_id != operation_id || !untouched
        });
    }

    /// What changed on disk since it was last asked.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Messages that waited for too long are not sent by themselves.
    fn age(&mut self, now_ms: i64) {
        for pending in &mut self.pending {
            if pending.state == PendingState::Waiting && now_ms - pending.at_ms > TOO_OLD_MS {
                pending.state = PendingState::NotSent(Reason::TooOld);
            }
        }
    }

    /// Ids are UUIDv7, so they sort by the time at which they were made.
    fn insert(&mut self, pending: Pending) {
        let place = self.pending.partition_point(|other| other.operation_id < pending.operation_id);
        self.pending.insert(place, pending);
    }

    fn find(&self, operation_id: Uuid) -> Option<usize> {
        self.pending.iter().position(|pending| pending.operation_id == operation_id)
    }

    fn forget(&mut self, at: usize) {
        let pending = &self.pending[at];
        self.changes.push(Change::Forget {
            author_id: pending.author.id.clone(),
            operation_id: pending.operation_id,
        });
    }
}

/// A message as it is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) operation_id: Uuid,
    pub(crate) author: Author,
    pub(crate) room_id: String,
    pub(crate) at_ms: i64,
    pub(crate) text: String,
}

/// Whether the same call may succeed later. A session that has ended counts: the message is safe and
/// the person is asked to join again.
fn may_pass(code: Code) -> bool {
    tonic_web_channel::retry::is_transient(code) || code == Code::Unauthenticated
}

/// Whether the error is the connection's rather than the message's.
fn is_network(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unauthenticated)
}
