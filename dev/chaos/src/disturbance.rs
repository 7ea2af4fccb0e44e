//! Whether something is broken on purpose: a call that fails then proves nothing, one that fails otherwise does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the beginnings and the ends of faults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disturbance(Arc<AtomicU64>);

/// A moment, to be compared with now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(u64);

/// Something is broken for as long as this lives.
#[derive(Debug)]
pub(crate) struct Disturbed(Arc<AtomicU64>);

impl Disturbance {
    /// From here on something is broken. There is one fault at a time.
    pub(crate) fn begin(&self) -> Disturbed {
        self.0.fetch_add(1, Ordering::SeqCst);
        Disturbed(self.0.clone())
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(self.0.load(Ordering::SeqCst))
    }

    /// Whether nothing was broken between `moment` and now.
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
    fn only_what_touches_no_fault_is_calm() {
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
