//! Names the calls of an application to its observer and its tracer.

use std::sync::Arc;

use http::Request;
use tonic::Code;

use super::policy::CallPolicy;
use crate::observer::{ObservedCall, SharedObserver, known};
use crate::options::ServeOptions;
use crate::tracer::{CallHead, CallTracer};

/// The observer and the tracer of a port, with the methods whose names they may hear.
#[derive(Clone, Debug)]
pub(crate) struct CallObserver {
    observer: Option<SharedObserver>,
    tracer: Option<Arc<dyn CallTracer>>,
    policy: Arc<CallPolicy>,
}

impl CallObserver {
    /// `None` where nobody wants to be told.
    pub(crate) fn new(options: &ServeOptions, policy: &Arc<CallPolicy>) -> Option<Self> {
        let (observer, tracer) = (options.observer.clone(), options.tracer.clone());
        let is_wanted = observer.is_some() || tracer.is_some();
        is_wanted.then(|| Self { observer, tracer, policy: Arc::clone(policy) })
    }

    /// Tells the begin of a call.
    pub(super) fn begin<B>(&self, request: &Request<B>) -> ObservedCall {
        let method = self.policy.methods.get(request.uri().path());
        let head = CallHead::new(known(method.as_ref()), request);
        let span = self.tracer.as_ref().map(|tracer| tracer.begin(&head));
        ObservedCall::new(self.observer.as_ref(), span, method)
    }

    /// Tells of a call that is refused at once.
    pub(crate) fn refuse<B>(&self, request: &Request<B>, code: Code) {
        self.begin(request).set_code(code);
    }
}
