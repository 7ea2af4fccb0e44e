//! Whether the chat can store what people write.
//!
//! The writer and the check for damage set it; the server's health service and the answers to writes read it.

use tokio::sync::watch;

/// Why nothing can be stored. What is stored can be read as far as the files are readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk has no room. Passes by itself when there is room.
    DiskFull,
    /// The system refuses to write, or another program holds the database's lock. Passes by itself.
    WriteFailed,
    /// A file of the database was removed, moved, replaced or written to by another program while the server used it. Lasts until a restart:
    /// what would be written now could not be found by the next start.
    Replaced,
    /// The database's structure is broken. Lasts until a restart.
    Damaged,
}

impl Fault {
    /// Whether only a restart ends it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Replaced | Self::Damaged)
    }
}

/// The chat's health, to be set and watched.
#[derive(Debug)]
pub(super) struct Health(watch::Sender<Option<Fault>>);

impl Default for Health {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Health {
    /// What is wrong now.
    pub(super) fn fault(&self) -> Option<Fault> {
        *self.0.borrow()
    }

    /// What is wrong now and later.
    pub(super) fn watch(&self) -> watch::Receiver<Option<Fault>> {
        self.0.subscribe()
    }

    /// Sets what is wrong, unless a final fault has been set. Returns whether that changed anything.
    pub(super) fn fail(&self, fault: Fault) -> bool {
        self.set(Some(fault))
    }

    /// Ends a fault that is not final. Returns whether there was one.
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
    fn a_final_fault_stays_and_others_pass() {
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
