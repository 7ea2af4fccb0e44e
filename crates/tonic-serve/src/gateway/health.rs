//! Health of upstreams, by gRPC's health protocol.
//!
//! Specification: `doc/health-checking.md` of gRPC, `grpc.health.v1.Health/Check` for the server as a whole.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::service_fn;

use super::{Gateway, Upstream};
use crate::readiness::Readiness;

/// Time for an upstream's answer, with that for a connection.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// The reason why an upstream is not healthy. Its text names no address.
#[derive(Debug)]
enum Unhealthy {
    /// It says so.
    NotServing,
    /// It did not answer in time.
    Silent,
    /// Its answer, or the gateway's own about the connection.
    Failed(Status),
}

impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotServing => f.write_str("the upstream says that it does not serve"),
            Self::Silent => {
                write!(f, "the upstream did not answer within {} s", CHECK_TIMEOUT.as_secs())
            }
            Self::Failed(status) => f.write_str(status.message()),
        }
    }
}

impl Gateway {
    /// Asks every upstream for its health, at once and then every `interval`, as long as the returned future runs.
    ///
    /// The returned readiness, for [`App::health_paths`](crate::App::health_paths), fails while no upstream is healthy: with one
    /// of several gone, the calls of the others still work. An upstream is healthy when it answers SERVING, or that it has no
    /// health service or none for this caller (UNIMPLEMENTED, UNAUTHENTICATED, PERMISSION_DENIED). It has five seconds. Changes
    /// are logged with the upstream's address. Calls are passed on in any case.
    ///
    /// # Panics
    ///
    /// The future panics when `interval` is zero.
    ///
    /// ```no_run
    /// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    /// use tonic_serve::{App, Gateway, Upstream};
    ///
    /// let gateway = Gateway::new(Upstream::new("http://127.0.0.1:50052")?);
    /// let (readiness, checks) = gateway.health_checks(std::time::Duration::from_secs(10));
    /// tokio::spawn(checks);
    /// let app = App::new(gateway.into()).health_paths(readiness);
    /// # Ok(())
    /// # }
    /// ```
    pub fn health_checks(
        &self,
        interval: Duration,
    ) -> (Readiness, impl Future<Output = Infallible> + Send + use<>) {
        let checked: Vec<Checked> =
            self.default.iter().chain(self.routes.values()).cloned().map(Checked::new).collect();
        let upstreams: Arc<[Checked]> = checked.into();
        let readiness = {
            let upstreams = Arc::clone(&upstreams);
            Readiness::new(move || readiness(&upstreams))
        };
        (readiness, check_all(upstreams, interval))
    }
}

fn readiness(upstreams: &[Checked]) -> Result<(), &'static str> {
    let is = |state| upstreams.iter().any(|upstream| upstream.state.load(Ordering::Relaxed) == state);
    if is(HEALTHY) || upstreams.is_empty() {
        Ok(())
    } else if is(UNKNOWN) {
        Err("no upstream has answered yet")
    } else {
        Err("no upstream is healthy")
    }
}

async fn check_all(upstreams: Arc<[Checked]>, every: Duration) -> Infallible {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        join_all(upstreams.iter().map(Checked::check)).await;
    }
}

/// States of [`Checked`].
const UNKNOWN: u8 = 0;
const HEALTHY: u8 = 1;
const UNHEALTHY: u8 = 2;

/// An upstream with the result of its last check.
struct Checked {
    upstream: Upstream,
    state: AtomicU8,
}

impl Checked {
    fn new(upstream: Upstream) -> Self {
        Self { upstream, state: AtomicU8::new(UNKNOWN) }
    }

    async fn check(&self) {
        let health = ask(&self.upstream).await;
        let state = if health.is_ok() { HEALTHY } else { UNHEALTHY };
        let before = self.state.swap(state, Ordering::Relaxed);
        match health {
            Err(reason) if before != UNHEALTHY => {
                tracing::warn!(upstream = %self.upstream, "not healthy: {reason}");
            }
            Ok(()) if before == UNHEALTHY => tracing::info!(upstream = %self.upstream, "healthy again"),
            _ => {}
        }
    }
}

async fn ask(upstream: &Upstream) -> Result<(), Unhealthy> {
    let mut client = HealthClient::new(service_fn(|request| upstream.call(request)));
    let check = client.check(HealthCheckRequest::default());
    match timeout(CHECK_TIMEOUT, check).await {
        Ok(Ok(response)) if response.get_ref().status() == ServingStatus::Serving => Ok(()),
        Ok(Ok(_)) => Err(Unhealthy::NotServing),
        Ok(Err(status)) => match status.code() {
            Code::Unimplemented | Code::Unauthenticated | Code::PermissionDenied => Ok(()),
            _ => Err(Unhealthy::Failed(status)),
        },
        Err(_) => Err(Unhealthy::Silent),
    }
}
