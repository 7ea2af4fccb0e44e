//! The operators' port: what a scrape of the real program says after known traffic, and what the dashboard asks for.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Stdio;

use http::StatusCode;
use proto::chat::v1 as pb;
use proto::helloworld::HelloRequest;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

use crate::chat_client::{Person, cursor, eventually, states};
use crate::support::http::{Http, fetch, get, web_call};
use crate::support::program::Program;
use crate::support::{PATIENCE, command};

/// A name that nobody may find in a metric.
const SECRET: &str = "Secretive";

/// The real program with an operators' port.
async fn start() -> (Program, SocketAddr) {
    start_with(&[]).await
}

/// The same with more environment variables.
pub(crate) async fn start_with(variables: &[&str]) -> (Program, SocketAddr) {
    let server = Program::start_by(&[&["env", "CHINWAG_ADMIN=127.0.0.1:0"], variables].concat()).await;
    let log = server.log();
    let address = log.split("admin.listen=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let address = address.unwrap_or_else(|| panic!("no address of operators in {log}")).parse().unwrap();
    (server, address)
}

pub(crate) async fn scrape(admin: SocketAddr) -> String {
    let answer = get(admin, "/metrics", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    answer.text().to_owned()
}

/// The sum of the samples whose name and labels contain all of `parts`.
fn sum(text: &str, name: &str, parts: &[&str]) -> f64 {
    let samples = text.lines().filter(|line| {
        let end = line.find(['{', ' ']).unwrap_or(line.len());
        !line.starts_with('#') && line[..end] == *name && parts.iter().all(|part| line.contains(part))
    });
    let values: Vec<f64> = samples.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(!values.is_empty(), "no {name} with {parts:?} in {text}");
    values.iter().sum()
}

/// Joins, sends, follows, resumes, signs out and calls unknown methods. Returns the person who still follows.
async fn make_traffic(server: &Program) -> impl Sized {
    let mut ada = Person::join(server.channel(), SECRET).await;
    let mut bob = Person::join(server.channel(), "Bob").await;
    let (first, mut live) = bob.follow(vec![]).await;
    for number in 0..10 {
        ada.send("general", &number.to_string()).await;
    }
    live.events_until(10).await;
    let (_, resumed) = ada.follow(vec![cursor(&states(&first)[0], 1)]).await;
    ada.client.sign_out(pb::SignOutRequest {}).await.unwrap();
    let mut resumed = resumed;
    while resumed.try_next().await.is_some_and(|frame| frame.is_ok()) {}
    for path in ["/evil.One/A", "/evil.Two/B", "/evil.Three/C"] {
        fetch(server.addr(), Http::Two, web_call("application/grpc-web", path, &HelloRequest::default()))
            .await;
    }
    (bob, live)
}

#[tokio::test]
async fn scrape_counts_known_traffic_without_names() {
    let (server, admin) = start().await;
    let followed = make_traffic(&server).await;
    let text = scrape(admin).await;

    let send = ["grpc_method=\"SendMessage\"", "grpc_service=\"chat.v1.ChatService\"", "grpc_type=\"unary\""];
    assert_eq!(sum(&text, "grpc_server_started_total", &send), 10.0);
    assert_eq!(sum(&text, "grpc_server_handled_total", &[&send[..], &["grpc_code=\"OK\""]].concat()), 10.0);
    assert_eq!(sum(&text, "grpc_server_handling_seconds_count", &send), 10.0);
    // Paths that clients make up are one series.
    let unknown = ["grpc_method=\"unknown\"", "grpc_code=\"Unimplemented\""];
    assert_eq!(sum(&text, "grpc_server_handled_total", &unknown), 3.0);
    assert!(!text.contains("evil"), "{text}");
    assert_eq!(sum(&text, "chinwag_open_calls", &[]), 1.0, "{text}");
    assert_eq!(sum(&text, "chinwag_streams", &[]), 1.0);
    assert!(sum(&text, "chinwag_open_connections", &["http2"]) >= 1.0);
    assert_eq!(sum(&text, "chinwag_connections_total", &["websocket"]), 0.0);
    assert!(sum(&text, "chinwag_received_bytes_total", &[]) > 1_000.0);
    assert!(sum(&text, "chinwag_sent_bytes_total", &[]) > 1_000.0);
    assert!(sum(&text, "chinwag_writer_group_size_sum", &[]) >= 12.0);
    assert!(sum(&text, "chinwag_commit_seconds_count", &[]) >= 10.0);
    assert_eq!(sum(&text, "chinwag_writer_queue", &[]), 0.0);
    assert!(sum(&text, "chinwag_tail_reads_total", &["hit"]) >= 10.0);
    assert_eq!(sum(&text, "chinwag_resumes_total", &["fresh"]), 1.0);
    assert_eq!(sum(&text, "chinwag_resumes_total", &["full"]), 1.0);
    assert_eq!(sum(&text, "chinwag_goodbyes_total", &["signed_out"]), 1.0);
    assert!(sum(&text, "chinwag_database_bytes", &[]) > 4_096.0);
    #[cfg(target_os = "linux")]
    {
        assert!(sum(&text, "process_resident_memory_bytes", &[]) > 1_000_000.0);
        assert!(sum(&text, "process_open_fds", &[]) > 5.0);
    }
    for secret in [SECRET, "Bob", "general", "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    drop(followed);
    eventually("the stream ends", async || sum(&scrape(admin).await, "chinwag_open_calls", &[]) == 0.0).await;
}

#[tokio::test]
async fn refusals_are_counted_by_limit() {
    let limits = ["CHINWAG_MAX_CALLS=1", "CHINWAG_RATE_ANONYMOUS_ADDRESS=1:1/h"];
    let (server, admin) = start_with(&limits).await;
    assert_eq!(
        sum(&scrape(admin).await, "chinwag_limit_reached_total", &["limit=\"calls\"", "refused"]),
        0.0
    );

    let mut bob = Person::join(server.channel(), "Bob").await;
    let followed = bob.follow(vec![]).await;
    let hello = || web_call("application/grpc-web", "/helloworld.Greeter/SayHello", &HelloRequest::default());
    fetch(server.addr(), Http::One, hello()).await;

    let text = scrape(admin).await;
    assert_eq!(sum(&text, "chinwag_limit_reached_total", &["limit=\"calls\"", "refused"]), 1.0, "{text}");
    drop(followed);
}

#[tokio::test]
async fn dashboard_asks_only_for_metrics_that_are_exported() {
    let (server, admin) = start().await;
    let followed = make_traffic(&server).await;
    let text = scrape(admin).await;
    let exported: BTreeSet<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| &line[..line.find(['{', ' ']).unwrap()])
        .collect();
    let dashboard = include_str!("../../../docs/grafana-dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();

    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let metrics = words.filter(|word| {
                ["chinwag_", "process_", "grpc_server_"].iter().any(|prefix| word.starts_with(prefix))
            });
            let metrics: Vec<_> = metrics.map(str::to_owned).collect();
            assert!(!metrics.is_empty(), "{expression}");
            asked.extend(metrics);
        }
    }

    assert!(asked.len() > 20, "{asked:?}");
    for metric in &asked {
        assert!(exported.contains(metric.as_str()), "{metric} is not in {exported:?}");
    }
    drop(followed);
}

#[tokio::test]
async fn operators_port_serves_metrics_only_there() {
    let (server, admin) = start().await;

    for (path, host, status) in [
        ("/metrics", "127.0.0.1", StatusCode::OK),
        ("/", "127.0.0.1", StatusCode::NOT_FOUND),
        ("/metrics", "evil.example", StatusCode::MISDIRECTED_REQUEST),
    ] {
        assert_eq!(get(admin, path, &[("host", host)]).await.status, status, "{path} {host}");
    }
    let call = web_call("application/grpc-web", "/helloworld.Greeter/SayHello", &HelloRequest::default());
    assert_eq!(fetch(admin, Http::One, call).await.header("grpc-status"), "12");
    // There it is a route of the page.
    let elsewhere = get(server.addr(), "/metrics", &[]).await;
    assert_eq!(elsewhere.status, StatusCode::OK);
    assert!(elsewhere.text().contains("<title>A page") && !elsewhere.text().contains("chinwag_streams"));
}

#[tokio::test]
async fn operators_port_has_to_be_another_one_and_free() {
    let dir = TempDir::new().unwrap();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap();
    for (listen, admin, code, part) in [
        ("127.0.0.1:50991".to_owned(), "127.0.0.1:50991".to_owned(), 2, "another port than that of --listen"),
        ("127.0.0.1:50991".to_owned(), "0.0.0.0:50991".to_owned(), 2, "another port than that of --listen"),
        ("127.0.0.1:0".to_owned(), taken.to_string(), 1, "cannot listen on"),
    ] {
        let mut command = command();
        command.args([format!("--listen={listen}"), format!("--admin={admin}")]);
        command.arg("--data").arg(dir.path()).stderr(Stdio::piped());
        let ended = timeout(PATIENCE, command.output()).await.expect("it did not end in time").unwrap();
        let error = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), &ended.stdout[..]), (Some(code), &b""[..]), "{error}");
        for part in [part, "--admin", &admin] {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
    }
}

#[tokio::test]
async fn metrics_for_everybody_are_warned_of() {
    let dir = TempDir::new().unwrap();
    let mut command = command();
    command
        .args(["--listen=127.0.0.1:0", "--admin=0.0.0.0:0", "--data"])
        .arg(dir.path())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let warned = async {
        while let Some(line) = log.next_line().await.unwrap() {
            if line.contains("WARN") && line.contains("--admin") {
                return;
            }
        }
        panic!("it ended without a warning");
    };
    timeout(PATIENCE, warned).await.expect("no warning in time");
    child.kill().await.unwrap();
}
