//! Effects: what the chat needs from the world outside of it.

use std::time::Duration;

use proto::chat::v1 as pb;

use crate::connection::Due;
use crate::history::HistoryPage;
use crate::outbox::{PendingMessage, StorageChange};

/// Something to be done on the network, in storage, with timers or by the rest of the page.
#[derive(Debug)]
pub enum Effect {
    /// Ask the server whether there is a session, until it answers. Replaces an earlier question.
    FindSession,
    /// Subscribe to all rooms.
    Subscribe,
    /// Get the missed events from the cursors, because another tab's frames have a gap.
    CatchUp,
    /// End the subscription.
    Unsubscribe,
    /// Reconnect the subscription after this time.
    ReconnectAfter(Duration),
    /// Reconnect the subscription without its backoff.
    ReconnectNow,
    /// Reconnect the subscription unless it brings a frame within this time.
    ProbeStream(Duration),
    /// End the delay before the subscription's next attempt, or probe its connection.
    WakeStream,
    /// Check by a short call whether the server answers.
    CheckServer,
    /// Start the subscription's attempt again, while somebody sees the page: a proxy holds it back, and may be mended by now.
    ReplaceAttempt,
    /// Send a message.
    Send(PendingMessage),
    /// Resume the outbox after its backoff.
    ResumeOutboxLater,
    /// Move a read marker on the server.
    MarkRead {
        /// The room.
        room_id: String,
        /// The sequence number that was read.
        seq: u64,
    },
    /// Load a page of history.
    LoadHistory {
        /// The room.
        room_id: String,
        /// The page.
        page: HistoryPage,
    },
    /// Change the browser's storage.
    Store(Vec<StorageChange>),
    /// Read the outbox from the browser's storage.
    LoadOutbox,
    /// Remove the copy of the chat from the browser's database.
    ForgetKept,
    /// Take a step after this time, because the page changes with time. Replaces the earlier one.
    WakeAfter(Duration),
    /// Tell the rest of the page who is signed in.
    ShowUser(Option<pb::User>),
}

impl From<Due> for Effect {
    fn from(due: Due) -> Effect {
        match due {
            Due::Check => Effect::CheckServer,
            Due::Replacement => Effect::ReplaceAttempt,
        }
    }
}
