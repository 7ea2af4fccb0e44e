//! The outermost layer: gives each request the context of its call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Request;
use tonic::body::Body;

use super::{ResponseFuture, Service, SharedService};
use crate::context::{CallContext, CallOptions};
use crate::limits::Limits;
use crate::method::MethodTable;
use crate::subscription::opening::is_attempt;

static NEXT_CALL: AtomicU64 = AtomicU64::new(1);

/// Inserts a [`CallContext`].
pub(crate) struct InsertContext {
    methods: MethodTable,
    limits: Limits,
    idle_timeout: Option<Duration>,
    inner: SharedService,
}

impl InsertContext {
    pub(crate) fn new(
        methods: MethodTable,
        limits: Limits,
        idle_timeout: Option<Duration>,
        inner: SharedService,
    ) -> Self {
        Self { methods, limits, idle_timeout, inner }
    }

    fn context(&self, path: &str, options: CallOptions) -> CallContext {
        let method = self.methods.get(path);
        // A unary call that takes long is not idle.
        let is_stream = method.is_none_or(|method| method.kind.server_streaming());
        let mut context = CallContext {
            number: NEXT_CALL.fetch_add(1, Ordering::Relaxed),
            method,
            is_unlisted: method.is_none() && self.methods.has_service_of(path),
            idle_timeout: options.idle_timeout.or(self.idle_timeout.filter(|_| is_stream)),
            options,
            limits: self.limits,
            ..CallContext::default()
        };
        context.options.no_deadline |= is_attempt(&context);
        context
    }
}

impl Service for InsertContext {
    fn call(self: Arc<Self>, mut request: Request<Body>) -> ResponseFuture {
        let options = request.extensions_mut().remove().unwrap_or_default();
        let context = self.context(request.uri().path(), options);
        request.extensions_mut().insert(context);
        self.inner.clone().call(request)
    }
}
