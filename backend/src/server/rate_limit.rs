//! Rate limits for services without sessions: calls are counted by client address before a request is read.

use std::net::IpAddr;
use std::sync::Arc;

use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::rates::{self, RateExceeded, Rates};

type Check = fn(&Rates, IpAddr) -> Result<(), RateExceeded>;

/// Interceptor that counts the calls of a service.
#[derive(Clone, Debug)]
pub(super) struct RateLimit {
    rates: Arc<Rates>,
    check: Check,
}

impl RateLimit {
    /// Wraps `service`; `check` counts its calls.
    pub(super) fn wrap<S>(service: S, rates: &Arc<Rates>, check: Check) -> InterceptedService<S, Self> {
        InterceptedService::new(service, Self { rates: rates.clone(), check })
    }
}

impl Interceptor for RateLimit {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        match (self.check)(&self.rates, rates::client_network(request.extensions())) {
            Ok(()) => Ok(request),
            Err(refusal) => Err(tonic_serve::retry_later(refusal.to_string(), refusal.after)),
        }
    }
}
