//! Whether the chat can store messages.
//!
//! The writer and the check for damage set it; the health service, `/readyz` and the responses to writes read it.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

/// Longest time without a stored write after which the database counts as not writable, although no write has failed: a disk
/// that hangs refuses nothing. The writer stores a row without meaning more often than that.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A reason why nothing can be stored. Stored messages can still be read, as far as the files are readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk is full. Temporary.
    DiskFull,
    /// The system refuses writes, or another program holds the database's lock. Temporary.
    WriteFailed,
    /// A file of the database was removed, moved, replaced or written to by another program while the server used it. Final:
    /// the next start could not find what would be written now.
    Replaced,
    /// The structure of the database is broken. Final.
    Damaged,
    /// The log that servers share does not answer. Temporary.
    LogUnanswered,
    /// The log has lost or replaced entries that this database has. Final: the database is the witness of what they were.
    LogDiverged,
    /// The log no longer has the entries that this database needs next. Final.
    LogTrimmed,
    /// A newer version of this program has written an entry that this one does not know. Final.
    LogNewer,
}

impl Fault {
    /// Whether the fault lasts until a restart.
    pub fn is_final(self) -> bool {
        match self {
            Self::DiskFull | Self::WriteFailed | Self::LogUnanswered => false,
            Self::Replaced | Self::Damaged | Self::LogDiverged | Self::LogTrimmed | Self::LogNewer => true,
        }
    }

    /// Whether the fault is the log's, and not the database's.
    pub(super) fn is_of_the_log(self) -> bool {
        matches!(self, Self::LogUnanswered | Self::LogDiverged | Self::LogTrimmed | Self::LogNewer)
    }

    /// The fault as a sentence for an operator, without a full stop.
    fn sentence(self) -> &'static str {
        match self {
            Self::DiskFull => "the disk of the database is full",
            Self::WriteFailed => "the database refuses writes",
            Self::Replaced => "the files of the database were removed or replaced",
            Self::Damaged => "the database is damaged",
            Self::LogUnanswered => "the log that the servers share does not answer",
            Self::LogDiverged => "the log that the servers share has diverged from the database",
            Self::LogTrimmed => {
                "the log that the servers share no longer has the entries that the database needs; a restart \
                 starts from the copy in the log"
            }
            Self::LogNewer => {
                "the log that the servers share has an entry of a newer version of this program"
            }
        }
    }
}

/// The current fault, with change notifications, and the time of the last stored write.
#[derive(Debug)]
pub(super) struct Health {
    fault: watch::Sender<Option<Fault>>,
    stored: Mutex<Instant>,
}

impl Default for Health {
    /// The start counts as a stored write: opening the database is one.
    fn default() -> Self {
        Self { fault: watch::Sender::new(None), stored: Mutex::new(Instant::now()) }
    }
}

impl Health {
    /// The current fault.
    pub(super) fn fault(&self) -> Option<Fault> {
        *self.fault.borrow()
    }

    /// Watches the current fault.
    pub(super) fn watch(&self) -> watch::Receiver<Option<Fault>> {
        self.fault.subscribe()
    }

    /// Records that a write was stored just now.
    pub(super) fn record_stored(&self) {
        *self.stored.lock() = Instant::now();
    }

    /// Time since the last stored write.
    pub(super) fn stored_before(&self) -> Duration {
        self.stored.lock().elapsed()
    }

    /// The reason, as a sentence without a full stop, why the database does not take writes.
    pub(super) fn check_writable(&self) -> Result<(), &'static str> {
        match self.fault() {
            Some(fault) => Err(fault.sentence()),
            None if self.stored_before() > WRITE_TIMEOUT => {
                Err("the database has stored nothing for 10 seconds")
            }
            None => Ok(()),
        }
    }

    /// Sets a fault, unless a final one is set. Returns whether that changed anything.
    pub(super) fn fail(&self, fault: Fault) -> bool {
        self.set(Some(fault))
    }

    /// Clears a temporary fault. Returns whether there was one.
    pub(super) fn recover(&self) -> bool {
        self.set(None)
    }

    fn set(&self, new: Option<Fault>) -> bool {
        self.fault.send_if_modified(|old| {
            let changes = *old != new && !old.is_some_and(Fault::is_final);
            if changes {
                *old = new;
            }
            changes
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_fault_stays_and_temporary_faults_pass() {
        let health = Health::default();
        assert!(health.fail(Fault::DiskFull));
        assert!(!health.fail(Fault::DiskFull));
        assert!(health.recover());
        assert!(!health.recover());
        assert!(health.fail(Fault::Replaced));
        assert!(!health.recover());
        assert!(!health.fail(Fault::DiskFull));
        assert_eq!(health.fault(), Some(Fault::Replaced));
    }

    #[test]
    fn database_is_writable_without_a_fault_and_after_a_recent_write() {
        let health = Health::default();
        assert_eq!(health.check_writable(), Ok(()));
        let Some(long_ago) = Instant::now().checked_sub(WRITE_TIMEOUT) else { return };
        *health.stored.lock() = long_ago;
        let refusal = health.check_writable().unwrap_err();
        assert!(refusal.contains(&format!("{} seconds", WRITE_TIMEOUT.as_secs())), "{refusal}");
        health.record_stored();
        assert_eq!(health.check_writable(), Ok(()));
        health.fail(Fault::DiskFull);
        assert_eq!(health.check_writable(), Err("the disk of the database is full"));
    }
}
