//! The times of deliberate faults: calls may fail during them, and only then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter of the beginnings and ends of faults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disturbance(Arc<AtomicU64>);

/// A point in time between beginnings and ends of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(u64);

/// A fault that lasts until this is dropped.
#[derive(Debug)]
pub(crate) struct Disturbed(Arc<AtomicU64>);

impl Disturbance {
    /// Begins a fault. There is one at a time.
    pub(crate) fn begin(&self) -> Disturbed {
        self.0.fetch_add(1, Ordering::SeqCst);
        Disturbed(self.0.clone())
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(self.0.load(Ordering::SeqCst))
    }

    /// Whether there was no fault between `moment` and now.
    pub(crate) fn calm_since(&self, moment: Moment) -> bool {
        // An odd number of beginnings and ends is the middle of a fault.
        moment.0.is_multiple_of(2) && moment == self.now()
    }
}

impl Drop for Disturbed {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_time_without_faults_is_calm() {
        let disturbance = Disturbance::default();
        let before = disturbance.now();
        assert!(disturbance.calm_since(before));
        let fault = disturbance.begin();
        let during = disturbance.now();
        assert!(!disturbance.calm_since(before) && !disturbance.calm_since(during));
        drop(fault);
        assert!(!disturbance.calm_since(before) && !disturbance.calm_since(during));
        assert!(disturbance.calm_since(disturbance.now()));
    }
}
