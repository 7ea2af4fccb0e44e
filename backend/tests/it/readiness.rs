//! The health of the real program, as load balancers ask for it by HTTP and gRPC.

use std::fs;

use http::StatusCode;
use proto::health::v1::health_check_response::ServingStatus;
use proto::health::v1::health_client::HealthClient;
use proto::health::v1::{HealthCheckRequest, HealthListRequest};
use rustix::process::{Resource, Rlimit, prlimit};

use crate::chat_client::{Person, eventually};
use crate::support::http::get;
use crate::support::program::Program;
use crate::support::{ChildServer, TestServer};

/// The status and the sentence of `/readyz`, as a probe by address sees them.
async fn readiness(server: &Program) -> (StatusCode, String) {
    let answer = get(server.addr(), "/readyz", &[("host", "10.0.0.7")]).await;
    (answer.status, answer.text().to_owned())
}

async fn overall_health(server: &Program) -> ServingStatus {
    let request = HealthCheckRequest { service: String::new() };
    HealthClient::new(server.channel()).check(request).await.unwrap().into_inner().status()
}

#[tokio::test]
async fn disk_that_refuses_writes_is_noticed_while_nobody_writes() {
    // A limit on the size of files stands in for a broken disk.
    let server = Program::start_by(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]).await;
    drop(Person::join(server.channel(), "Ada").await);
    assert_eq!(readiness(&server).await, (StatusCode::OK, "ok\n".to_owned()));
    let limit = |current| Rlimit { current, maximum: None };
    let log = server.data().join("chinwag.db-wal");
    let length = fs::metadata(log).unwrap().len();
    prlimit(Some(server.pid()), Resource::Fsize, limit(Some(length))).unwrap();

    let server_ref = &server;
    eventually("readiness ends", async || readiness(server_ref).await.0 == StatusCode::SERVICE_UNAVAILABLE)
        .await;

    assert_eq!(readiness(&server).await.1, "the database refuses writes\n");
    assert_eq!(overall_health(&server).await, ServingStatus::NotServing);
    let list = HealthClient::new(server.channel()).list(HealthListRequest {}).await.unwrap().into_inner();
    assert_eq!(list.statuses["chat.v1.ChatService"].status(), ServingStatus::NotServing);
    assert_eq!(list.statuses["helloworld.Greeter"].status(), ServingStatus::Serving);
    assert_eq!(get(server.addr(), "/healthz", &[]).await.status, StatusCode::OK);

    prlimit(Some(server.pid()), Resource::Fsize, limit(None)).unwrap();

    eventually("readiness returns", async || readiness(server_ref).await.0 == StatusCode::OK).await;
    assert_eq!(overall_health(&server).await, ServingStatus::Serving);
}

#[tokio::test]
async fn probes_are_answered_under_names_that_are_not_configured() {
    let server = ChildServer::start_with(&["--host=chat.example".to_owned()]).await;
    for path in ["/healthz", "/readyz"] {
        let answer = get(server.addr, path, &[("host", "pod-7.internal")]).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, "ok\n"), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn removed_database_is_told() {
    let server = TestServer::start().await;
    assert_eq!(get(server.addr, "/readyz", &[]).await.status, StatusCode::OK);
    fs::remove_file(server.data_dir().join("chinwag.db")).unwrap();
    let addr = server.addr;

    eventually("readiness ends", async || {
        get(addr, "/readyz", &[]).await.text() == "the files of the database were removed or replaced\n"
    })
    .await;

    server.shutdown().await;
}
