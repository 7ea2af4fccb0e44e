//! Names the calls of an application to its observer.

use std::sync::Arc;

use tonic::Code;

use super::policy::CallPolicy;
use crate::observer::{ObservedCall, SharedObserver};

/// The observer of a port with the methods whose names it may hear.
#[derive(Clone, Debug)]
pub(crate) struct CallObserver {
    observer: SharedObserver,
    policy: Arc<CallPolicy>,
}

impl CallObserver {
    pub(crate) fn new(observer: SharedObserver, policy: Arc<CallPolicy>) -> Self {
        Self { observer, policy }
    }

    /// Tells the begin of a call.
    pub(super) fn begin(&self, path: &str) -> ObservedCall {
        ObservedCall::new(&self.observer, self.policy.methods.get(path))
    }

    /// Tells of a call that is refused at once.
    pub(crate) fn refuse(&self, path: &str, code: Code) {
        self.begin(path).set_code(code);
    }
}
