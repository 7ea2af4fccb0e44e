//! Whether this node has everything that the log has.
//!
//! A node answers yes from its own database, and no only when it is current: another node may have just made the room, or the
//! session, that this one does not know. Without a log a node is always current.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::error::ChatError;
use super::log::{Log, Position};

/// Longest wait until the database has everything that the log had at the beginning of the wait.
const CURRENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The log and how far it was applied.
#[derive(Debug)]
pub(super) struct Current {
    log: Option<Arc<dyn Log>>,
    applied: watch::Sender<Position>,
}

impl Current {
    pub(super) fn new(log: Option<Arc<dyn Log>>) -> Self {
        Self { log, applied: watch::Sender::new(0) }
    }

    /// Whether other nodes write, too.
    pub(super) fn is_shared(&self) -> bool {
        self.log.is_some()
    }

    /// Called by the writer when the database has the entry `applied`, and the memory its effects.
    pub(super) fn advance(&self, applied: Position) {
        self.applied.send_replace(applied);
    }

    /// Waits until the database has everything that was in the log when this was called.
    pub(super) async fn wait(&self) -> Result<(), ChatError> {
        let Some(log) = &self.log else { return Ok(()) };
        let catch_up = async {
            let end = log.end().await.map_err(|_| ChatError::LogUnavailable)?;
            // The sender lives as long as `self`.
            self.applied.subscribe().wait_for(|applied| *applied >= end).await.ok();
            Ok(())
        };
        timeout(CURRENT_TIMEOUT, catch_up).await.unwrap_or(Err(ChatError::LogUnavailable))
    }
}
