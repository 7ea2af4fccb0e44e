//! Messages that were written here and that the server has not stored yet: one first-in, first-out queue per room.

mod stored;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tonic::Code;
use uuid::Uuid;

pub use self::stored::{KEY_PREFIX, OtherTab, StoredMessage};
use crate::connection::Cause;
use crate::message::Author;

/// Age up to which a message is sent without asking, in milliseconds. After a day it may no longer be meant.
pub const MAX_AGE_MS: i64 = 24 * 60 * 60 * 1_000;

/// Failures other than the network's after which a message counts as not sent. Without this limit, one message that the server
/// cannot handle would block all that follow.
const MAX_ATTEMPTS: u32 = 8;

/// Longest pushback that is respected, in milliseconds. A server that asks for more by mistake must not stop messages for a day.
const MAX_PUSHBACK_MS: i64 = 5 * 60 * 1_000;

/// Shortest pushback, in milliseconds: also a server that asks for none is not called again at once.
const MIN_PUSHBACK_MS: i64 = 250;

/// A message in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMessage {
    /// The same for every attempt, so that the server stores the message once.
    pub operation_id: Uuid,
    /// The room.
    pub room_id: String,
    /// The text.
    pub text: Arc<str>,
    /// Time of writing by this machine's clock, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The author.
    pub author: Arc<Author>,
    /// The delivery state.
    pub state: PendingState,
    attempts: u32,
}

/// The delivery state of a pending message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PendingState {
    /// Waits for its turn or for the network.
    Waiting,
    /// A call is running.
    Sending,
    /// The server stored it here; the log has not reached this place.
    Stored {
        /// The epoch of the log.
        epoch: u64,
        /// The sequence number.
        seq: u64,
    },
    /// It is not sent until a person asks.
    NotSent(NotSentReason),
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSentReason {
    /// The server refused it.
    Refused {
        /// The status code.
        code: Code,
        /// The server's message, if any.
        message: String,
    },
    /// It is older than [`MAX_AGE_MS`].
    TooOld,
    /// Another user wrote it in this browser, whose session has ended.
    OtherUser,
}

/// A failed attempt to send a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFailure {
    /// The status code.
    pub code: Code,
    /// Why no gRPC server decided; `None` for a server's verdict.
    pub cause: Option<Cause>,
    /// The server's message; empty without its verdict.
    pub message: String,
    /// The server's pushback: the delay that it asks for.
    pub pushback: Option<Duration>,
}

/// A change that has to be made in the browser's storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageChange {
    /// Store a message.
    Put(StoredMessage),
    /// Remove a message.
    Remove {
        /// The author's id.
        author_id: String,
        /// The message's operation id.
        operation_id: Uuid,
    },
    /// Remove a message, and tell other tabs not to send it.
    Discard {
        /// The author's id.
        author_id: String,
        /// The message's operation id.
        operation_id: Uuid,
    },
}

/// The outbox of one user, in the order of writing.
#[derive(Debug, Default)]
pub struct Outbox {
    user_id: String,
    pending: Vec<PendingMessage>,
    changes: Vec<StorageChange>,
    paused: bool,
    /// End of the server's pushback by this machine's clock, in milliseconds since the Unix epoch.
    pushback_until_ms: Option<i64>,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(user_id: &str) -> Outbox {
        Outbox { user_id: user_id.to_owned(), ..Outbox::default() }
    }

    /// Adds messages that an earlier page or another tab has stored. Known ones are ignored.
    pub fn restore(&mut self, stored: impl IntoIterator<Item = StoredMessage>, now_ms: i64) {
        for stored in stored {
            if self.find(stored.operation_id).is_some() {
                continue;
            }
            let state = if stored.author.id != self.user_id {
                PendingState::NotSent(NotSentReason::OtherUser)
            } else if now_ms - stored.at_ms > MAX_AGE_MS {
                PendingState::NotSent(NotSentReason::TooOld)
            } else {
                PendingState::Waiting
            };
            self.insert(PendingMessage {
                operation_id: stored.operation_id,
                room_id: stored.room_id,
                text: stored.text.into(),
                at_ms: stored.at_ms,
                author: Arc::new(stored.author),
                state,
                attempts: 0,
            });
        }
    }

    /// Adds a message that was written now.
    pub fn add(&mut self, operation_id: Uuid, author: Arc<Author>, room_id: &str, text: &str, now_ms: i64) {
        let pending = PendingMessage {
            operation_id,
            room_id: room_id.to_owned(),
            text: text.into(),
            at_ms: now_ms,
            author,
            state: PendingState::Waiting,
            attempts: 0,
        };
        self.changes.push(StorageChange::Put(StoredMessage::of(&pending)));
        self.pending.push(pending);
    }

    /// A room's messages, oldest first.
    pub fn of_room<'a>(&'a self, room_id: &'a str) -> impl Iterator<Item = &'a PendingMessage> {
        self.pending.iter().filter(move |pending| pending.room_id == room_id)
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> &[PendingMessage] {
        &self.pending
    }

    /// Takes the messages to send now, and marks them as being sent: the first waiting one of each room that has none on its way.
    pub fn take_due(&mut self, now_ms: i64) -> Vec<PendingMessage> {
        self.expire(now_ms);
        if self.paused || self.pushback_left_ms(now_ms).is_some() {
            return Vec::new();
        }
        let is_sending = |pending: &&PendingMessage| pending.state == PendingState::Sending;
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

    /// Whether any message waits for its turn.
    pub fn is_waiting(&self) -> bool {
        self.pending.iter().any(|pending| pending.state == PendingState::Waiting)
    }

    /// Time left of the server's pushback, in milliseconds; `None` without one.
    pub fn pushback_left_ms(&self, now_ms: i64) -> Option<i64> {
        // More than the longest pushback is left after this machine's clock was set back, which ends it.
        self.pushback_until_ms.map(|until| until - now_ms).filter(|left| (1..=MAX_PUSHBACK_MS).contains(left))
    }

    /// Ends the pause after a failure, because the connection is back or enough time has passed. A pushback continues.
    pub fn resume(&mut self) {
        self.paused = false;
    }

    /// The server stored a message. It stays pending until the log reaches its place, and is not sent again. `None` when it was settled
    /// before.
    pub fn mark_stored(&mut self, operation_id: Uuid, epoch: u64, seq: u64) -> Option<PendingMessage> {
        let at = self.find(operation_id)?;
        self.remove_from_storage(at);
        self.pending[at].state = PendingState::Stored { epoch, seq };
        Some(self.pending[at].clone())
    }

    /// Removes a message that is in the log.
    pub fn settle(&mut self, operation_id: Uuid) {
        if let Some(at) = self.find(operation_id) {
            if !matches!(self.pending[at].state, PendingState::Stored { .. }) {
                self.remove_from_storage(at);
            }
            self.pending.remove(at);
        }
    }

    /// Removes the stored messages whose room, epoch and sequence number the log has `reached`.
    pub fn settle_stored(&mut self, reached: impl Fn(&str, u64, u64) -> bool) {
        self.pending.retain(|pending| match pending.state {
            PendingState::Stored { epoch, seq } => !reached(&pending.room_id, epoch, seq),
            _ => true,
        });
    }

    /// An attempt failed. After a transient failure the message waits, and all others with it; after any other it is not sent. Only
    /// a server's verdict refuses a message. A pushback (a rate limit, a full disk) is not the message's fault: the attempt does not count, and nothing is sent before its
    /// end.
    pub fn mark_failed(&mut self, operation_id: Uuid, failure: &SendFailure, now_ms: i64) {
        let Some(at) = self.find(operation_id) else { return };
        let pending = &mut self.pending[at];
        if pending.state != PendingState::Sending {
            return;
        }
        let may_pass = failure.cause.is_some() || is_transient(failure.code);
        if may_pass
            && let Some(pushback) = failure.pushback
        {
            pending.state = PendingState::Waiting;
            let pushback_ms = i64::try_from(pushback.as_millis()).unwrap_or(i64::MAX);
            let pushback_ms = pushback_ms.clamp(MIN_PUSHBACK_MS, MAX_PUSHBACK_MS);
            let left_ms = self.pushback_left_ms(now_ms).unwrap_or_default();
            self.pushback_until_ms = Some(now_ms + pushback_ms.max(left_ms));
            return;
        }
        pending.attempts += u32::from(failure.cause.is_none() && !is_network(failure.code));
        if may_pass && pending.attempts < MAX_ATTEMPTS {
            pending.state = PendingState::Waiting;
            self.paused = true;
        } else {
            let (code, message) = (failure.code, failure.message.clone());
            pending.state = PendingState::NotSent(NotSentReason::Refused { code, message });
        }
    }

    /// Sends a message again that was not sent. Another user's message becomes this user's.
    pub fn try_again(&mut self, operation_id: Uuid, user: &Arc<Author>, now_ms: i64) {
        let Some(at) = self.find(operation_id) else { return };
        if !matches!(self.pending[at].state, PendingState::NotSent(_)) {
            return;
        }
        if self.pending[at].author.id != user.id {
            self.remove_from_storage(at);
        }
        let pending = &mut self.pending[at];
        pending.author = user.clone();
        pending.at_ms = now_ms;
        pending.attempts = 0;
        pending.state = PendingState::Waiting;
        self.changes.push(StorageChange::Put(StoredMessage::of(pending)));
        self.resume();
    }

    /// Discards a message that was not sent.
    pub fn discard(&mut self, operation_id: Uuid) {
        if let Some(at) = self.find(operation_id)
            && matches!(self.pending[at].state, PendingState::NotSent(_))
        {
            let pending = self.pending.remove(at);
            let author_id = pending.author.id.clone();
            self.changes.push(StorageChange::Discard { author_id, operation_id });
        }
    }

    /// Removes a message that another tab discarded, unless it is on its way.
    pub fn remove_discarded(&mut self, operation_id: Uuid) {
        self.pending.retain(|pending| {
            let untouched = matches!(pending.state, PendingState::Waiting | PendingState::NotSent(_));
            pending.operation_id != operation_id || !untouched
        });
    }

    /// Takes the changes that have to be made in the browser's storage.
    pub fn take_changes(&mut self) -> Vec<StorageChange> {
        std::mem::take(&mut self.changes)
    }

    /// Stops messages that have waited too long.
    fn expire(&mut self, now_ms: i64) {
        for pending in &mut self.pending {
            if pending.state == PendingState::Waiting && now_ms - pending.at_ms > MAX_AGE_MS {
                pending.state = PendingState::NotSent(NotSentReason::TooOld);
            }
        }
    }

    /// Operation ids are UUIDv7, so they sort by their time of creation.
    fn insert(&mut self, pending: PendingMessage) {
        let place = self.pending.partition_point(|other| other.operation_id < pending.operation_id);
        self.pending.insert(place, pending);
    }

    fn find(&self, operation_id: Uuid) -> Option<usize> {
        self.pending.iter().position(|pending| pending.operation_id == operation_id)
    }

    fn remove_from_storage(&mut self, at: usize) {
        let pending = &self.pending[at];
        self.changes.push(StorageChange::Remove {
            author_id: pending.author.id.clone(),
            operation_id: pending.operation_id,
        });
    }
}

/// Whether the same call may succeed later. A session that has ended counts: the message is kept, and the person is asked to join
/// again.
fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Internal
            | Code::Unavailable
            | Code::Unauthenticated
    )
}

/// Whether the connection failed rather than the message.
fn is_network(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unauthenticated)
}
