//! The limit on calls that are open at once.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use tonic::body::Body;

use super::{Layer, ResponseFuture, Service, SharedService, layer};
use crate::body::CallGuard;
use crate::error::Error;

/// Refuses calls above the limit.
pub(crate) struct LimitConcurrency {
    calls: OpenCalls,
    inner: SharedService,
}

impl LimitConcurrency {
    pub(crate) fn layer(limit: usize) -> Layer {
        layer(move |inner| Self { calls: OpenCalls::new(limit), inner })
    }
}

impl Service for LimitConcurrency {
    fn call(self: Arc<Self>, request: Request<Body>) -> ResponseFuture {
        match self.calls.enter() {
            Ok(permit) => Box::pin(async move {
                let mut response = self.inner.clone().call(request).await?;
                response.body_mut().attach(Box::new(permit));
                Ok(response)
            }),
            Err(error) => Box::pin(ready(Err(error.into()))),
        }
    }
}

/// Counts open calls.
#[derive(Debug)]
struct OpenCalls {
    count: Arc<AtomicUsize>,
    limit: usize,
}

impl OpenCalls {
    fn new(limit: usize) -> Self {
        Self { count: Arc::default(), limit }
    }

    fn enter(&self) -> Result<Permit, Error> {
        let entered = self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count < self.limit).then_some(count + 1)
        });
        match entered {
            Ok(_) => Ok(Permit(self.count.clone())),
            Err(_) => Err(Error::TooManyCalls { limit: self.limit }),
        }
    }
}

/// The place of one open call.
#[derive(Debug)]
struct Permit(Arc<AtomicUsize>);

impl CallGuard for Permit {}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_permit_frees_its_place() {
        let calls = OpenCalls::new(2);

        let first = calls.enter().unwrap();
        let _second = calls.enter().unwrap();
        assert_eq!(calls.enter().unwrap_err(), Error::TooManyCalls { limit: 2 });

        drop(first);
        assert!(calls.enter().is_ok());
    }
}
