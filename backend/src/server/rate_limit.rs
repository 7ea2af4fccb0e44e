//! Services that know no session: how often they are called is limited by the caller's address, before a
//! request is read.

use std::net::IpAddr;
use std::sync::Arc;

use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::rates::{self, Rates, TooOften};

type Check = fn(&Rates, IpAddr) -> Result<(), TooOften>;

/// Counts the calls of a service.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    rates: Arc<Rates>,
    check: Check,
}

impl Limit {
    /// `service`, with its calls counted by `check`.
    pub(super) fn around<S>(service: S, rates: &Arc<Rates>, check: Check) -> InterceptedService<S, Self> {
        InterceptedService::new(service, Self { rates: rates.clone(), check })
    }
}

impl Interceptor for Limit {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        match (self.check)(&self.rates, rates::network(request.extensions())) {
            Ok(()) => Ok(request),
            Err(refusal) => Err(tonic_serve::retry_later(refusal.to_string(), refusal.after)),
        }
    }
}
