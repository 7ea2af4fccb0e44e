//! The open connections of a server, which a shutdown waits for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;

use super::activity::Activity;

/// The open connections of a server, after their TLS handshake.
#[derive(Debug, Default)]
pub(in crate::listen) struct OpenConnections(Mutex<Slab<Arc<Activity>>>);

/// Numbers of open connections and calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::listen) struct OpenCounts {
    pub(in crate::listen) connections: usize,
    /// Connections without a call: idle ones, incomplete heads, and those that do not answer HTTP/2's GOAWAY.
    pub(in crate::listen) idle: usize,
    pub(in crate::listen) calls: usize,
    /// Calls with bytes that the client has not taken.
    pub(in crate::listen) unsent: usize,
}

impl OpenConnections {
    /// Counts a connection until the registration is dropped.
    pub(super) fn register(self: &Arc<Self>, activity: &Arc<Activity>) -> Registration {
        Registration { key: self.lock().insert(Arc::clone(activity)), open: Arc::clone(self) }
    }

    pub(in crate::listen) fn count(&self) -> OpenCounts {
        let mut counts = OpenCounts::default();
        for (_, activity) in &*self.lock() {
            let (calls, unsent) = activity.calls.count();
            counts.connections += 1;
            counts.idle += usize::from(calls == 0);
            counts.calls += calls;
            counts.unsent += unsent;
        }
        counts
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Arc<Activity>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection that is counted.
#[derive(Debug)]
pub(super) struct Registration {
    open: Arc<OpenConnections>,
    key: usize,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.open.lock().try_remove(self.key);
    }
}
