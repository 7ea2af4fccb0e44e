//! Whether the chat can store messages.
//!
//! The writer and the check for damage set it; the health service and the responses to writes read it.

use tokio::sync::watch;

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
}

impl Fault {
    /// Whether the fault lasts until a restart.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Replaced | Self::Damaged)
    }
}

/// The current fault, with change notifications.
#[derive(Debug)]
pub(super) struct Health(watch::Sender<Option<Fault>>);

impl Default for Health {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Health {
    /// The current fault.
    pub(super) fn fault(&self) -> Option<Fault> {
        *self.0.borrow()
    }

    /// Watches the current fault.
    pub(super) fn watch(&self) -> watch::Receiver<Option<Fault>> {
        self.0.subscribe()
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
        self.0.send_if_modified(|old| {
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
}
