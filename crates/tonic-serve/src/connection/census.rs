//! Which connections are open: what a stop waits for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;

use super::activity::Activity;

/// The open connections of a server, after their TLS handshake.
#[derive(Debug, Default)]
pub(crate) struct Census(Mutex<Slab<Arc<Activity>>>);

/// What is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) connections: usize,
    /// Connections without a call: idle ones, half heads, and those that do not answer to the goodbye of HTTP/2.
    pub(crate) idle: usize,
    pub(crate) calls: usize,
    /// Calls whose client has not taken what was written.
    pub(crate) untaken: usize,
}

impl Census {
    /// Counts a connection for as long as what is returned lives.
    pub(super) fn enter(self: &Arc<Self>, activity: &Arc<Activity>) -> Entered {
        Entered { key: self.lock().insert(Arc::clone(activity)), census: Arc::clone(self) }
    }

    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (_, activity) in &*self.lock() {
            let (calls, untaken) = activity.calls.count();
            tally.connections += 1;
            tally.idle += usize::from(calls == 0);
            tally.calls += calls;
            tally.untaken += untaken;
        }
        tally
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Arc<Activity>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub(super) struct Entered {
    census: Arc<Census>,
    key: usize,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.census.lock().try_remove(self.key);
    }
}
