//! The gateway's checks of the health of upstreams.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic::transport::Server as NativeServer;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};
use tonic_serve::{Gateway, Readiness, Upstream};

use crate::support::{Server, eventually};

/// The tests wait for several checks.
const INTERVAL: Duration = Duration::from_millis(20);

fn at(addr: SocketAddr) -> Upstream {
    Upstream::new(&format!("http://{addr}")).unwrap()
}

/// The readiness of a gateway whose checks run as long as the test.
fn checked(gateway: &Gateway) -> Readiness {
    let (readiness, checks) = gateway.health_checks(INTERVAL);
    tokio::spawn(checks);
    readiness
}

/// Waits for a readiness, or for the reason against it.
async fn comes(readiness: &Readiness, expected: Result<(), &str>) {
    let found = || readiness.check().map_err(|reason| reason.to_string());
    eventually("the readiness", || found() == expected.map_err(str::to_owned)).await;
}

/// A native server that answers questions for its health.
async fn with_health() -> (SocketAddr, HealthReporter) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (reporter, service) = health_reporter();
    tokio::spawn(
        NativeServer::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)),
    );
    (addr, reporter)
}

/// A native server that answers every call with `status`.
async fn answering(status: Status) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (_, service) = health_reporter();
    let refuse = move |_: tonic::Request<()>| Err::<tonic::Request<()>, _>(status.clone());
    let service = tonic::service::interceptor::InterceptedService::new(service, refuse);
    tokio::spawn(
        NativeServer::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)),
    );
    addr
}

#[tokio::test]
async fn readiness_follows_what_the_upstream_says() {
    let (addr, reporter) = with_health().await;
    let readiness = checked(&Gateway::new(at(addr)));
    comes(&readiness, Ok(())).await;

    reporter.set_service_status("", ServingStatus::NotServing).await;
    comes(&readiness, Err("no upstream is healthy")).await;

    reporter.set_service_status("", ServingStatus::Serving).await;
    comes(&readiness, Ok(())).await;
}

#[tokio::test]
async fn an_upstream_that_answers_no_such_question_is_healthy() {
    let without_health = Server::start(|_| {}).await;
    comes(&checked(&Gateway::new(at(without_health.addr))), Ok(())).await;
    for status in [Status::unauthenticated("who"), Status::permission_denied("no")] {
        comes(&checked(&Gateway::new(at(answering(status).await))), Ok(())).await;
    }
    without_health.stopped().await;
}

#[tokio::test]
async fn an_upstream_that_fails_or_refuses_connections_is_not_healthy() {
    let overloaded = answering(Status::unavailable("busy")).await;
    comes(&checked(&Gateway::new(at(overloaded))), Err("no upstream is healthy")).await;
    let unused = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        listener.local_addr().unwrap()
    };
    comes(&checked(&Gateway::new(at(unused))), Err("no upstream is healthy")).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_upstream_is_given_up_after_five_seconds() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let started = tokio::time::Instant::now();
    let readiness = checked(&Gateway::new(at(silent.local_addr().unwrap())));
    assert_eq!(
        readiness.check().map_err(|reason| reason.to_string()),
        Err("no upstream has answered yet".into())
    );

    comes(&readiness, Err("no upstream is healthy")).await;

    assert!(started.elapsed() >= Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn one_healthy_upstream_of_several_is_enough() {
    let (addr, reporter) = with_health().await;
    let (other, other_reporter) = with_health().await;
    other_reporter.set_service_status("", ServingStatus::NotServing).await;
    let gateway = Gateway::new(at(addr)).route("other.Service", at(other));
    let readiness = checked(&gateway);
    comes(&readiness, Ok(())).await;

    reporter.set_service_status("", ServingStatus::NotServing).await;

    comes(&readiness, Err("no upstream is healthy")).await;
}
