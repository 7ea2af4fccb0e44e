//! Clients that open streams and take nothing must not delay the reads of others.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::future::join_all;
use h2::client::{ResponseFuture, SendRequest};
use http::{Request, StatusCode};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::Code;

use crate::chat_client::{Person, eventually};
use crate::support::{PATIENCE, TestServer};

/// Maximum number of streams of one guest.
const STREAMS: usize = proto::limits::chat::MAX_STREAMS_PER_USER;

/// Number of attacking guests.
const GUESTS: usize = 24;

/// A connection whose streams have no window for responses. It answers pings and takes nothing.
#[derive(Debug)]
struct StalledConnection {
    /// Drives the connection; aborted when dropped.
    _connection: JoinSet<()>,
    _answers: Vec<ResponseFuture>,
}

/// A client whose streams have a window of `window` bytes; the connection runs until the returned task set is dropped.
async fn stalled_connection(addr: SocketAddr, window: u32) -> (SendRequest<Bytes>, JoinSet<()>) {
    let stream = TcpStream::connect(addr).await.unwrap();
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window);
    let (client, connection) = builder.handshake(stream).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move {
        // Ends with the server at the latest.
        connection.await.ok();
    });
    (client, running)
}

/// Opens `STREAMS` streams at once, each with a window of `window` bytes.
async fn subscribe_without_reading(addr: SocketAddr, person: &Person, window: u32) -> StalledConnection {
    let (mut client, connection) = stalled_connection(addr, window).await;
    let mut answers = Vec::new();
    for _ in 0..STREAMS {
        let request = Request::post(format!("http://{addr}/chat.v1.ChatService/Subscribe"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", format!("Bearer {}", person.token))
            .body(())
            .unwrap();
        let (answer, mut body) = client.send_request(request, false).unwrap();
        // An empty message: no cursors.
        body.send_data(Bytes::from_static(&[0, 0, 0, 0, 0]), true).unwrap();
        answers.push(answer);
    }
    StalledConnection { _connection: connection, _answers: answers }
}

/// Makes every kind of database read, as a user whose session is not cached.
async fn reads_are_answered(server: &TestServer, name: &str) {
    let reads = async {
        let mut person = Person::join(server.channel(), name).await;
        assert_eq!(person.rooms().await.len(), 1);
        assert_eq!(person.page("general", None, 10).await.unwrap().events.len(), 1);
        let (frames, _stream) = person.follow(Vec::new()).await;
        assert_eq!(frames.len(), 2, "Hello and one room");
    };
    timeout(PATIENCE, reads).await.unwrap_or_else(|_| panic!("{name} was not answered"));
}

#[tokio::test]
async fn stalled_streams_of_one_guest_do_not_block_reads() {
    for window in [0, 30] {
        let server = TestServer::start().await;
        let attacker = Person::join(server.channel(), "Attacker").await;
        let _stalled = subscribe_without_reading(server.addr, &attacker, window).await;
        for name in ["Ada", "Grace", "Edsger", "Barbara", "Alan"] {
            reads_are_answered(&server, name).await;
        }
    }
}

#[tokio::test]
async fn stalled_streams_of_many_guests_do_not_block_reads() {
    let server = TestServer::start().await;
    let mut stalled = Vec::new();
    for guest in 0..GUESTS {
        let attacker = Person::join(server.channel(), &format!("Attacker {guest}")).await;
        stalled.push(subscribe_without_reading(server.addr, &attacker, 30 * (guest as u32 % 2)).await);
        if guest % 8 == 0 {
            reads_are_answered(&server, &format!("Guest {guest}")).await;
        }
    }
    reads_are_answered(&server, "Ada").await;
}

/// Number of pages that one guest requests at once.
const PAGES: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_page_requests_of_one_guest_are_refused_and_block_nobody() {
    // Without the limits of buffered bytes, which would delay these calls before they read anything.
    let server = TestServer::start_with(|config| {
        config.limits.max_buffered_bytes_per_connection = usize::MAX / 2;
        config.limits.max_buffered_bytes_per_address = usize::MAX / 2;
        config.limits.max_buffered_bytes = usize::MAX / 2;
    })
    .await;
    let mut attacker = Person::join(server.channel(), "Attacker").await;
    let text = "\u{1F980}".repeat(4_000);
    for _ in 0..20 {
        attacker.send("general", &text).await;
    }
    let connections: Vec<_> = (0..2).map(|_| attacker.over(server.channel())).collect();
    let pages = (0..PAGES).map(|page| {
        // One connection carries at most 256 calls.
        let mut attacker = connections[page % connections.len()].clone();
        async move { attacker.page("general", None, 100).await }
    });
    let (pages, ()) = tokio::join!(join_all(pages), async {
        let mut ada = Person::join(server.channel(), "Ada").await;
        for _ in 0..5 {
            timeout(PATIENCE, ada.rooms()).await.expect("Ada was not answered");
        }
    });

    let refusals: Vec<_> = pages.iter().filter_map(|page| page.as_ref().err()).collect();
    assert!(!refusals.is_empty(), "everything was read at once");
    assert!(refusals.len() < PAGES, "nothing was read");
    for refusal in refusals {
        assert_eq!(refusal.code(), Code::ResourceExhausted);
        assert_eq!(refusal.message(), "You have too many requests open. Try again in a second.");
        assert_eq!(refusal.metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
    }
}

/// Number of open files of this process in `dir`.
#[cfg(target_os = "linux")]
fn open_files_in(dir: &std::path::Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    // An entry that was closed meanwhile cannot be read.
    open.filter(|entry| {
        std::fs::read_link(entry.as_ref().unwrap().path()).is_ok_and(|to| to.starts_with(dir))
    })
    .count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn unread_files_of_the_page_hold_no_file_descriptor() {
    let server = TestServer::start().await;
    let dir = server.page_dir();
    std::fs::write(dir.join("large.bin"), vec![1; 1024 * 1024]).unwrap();
    for window in [0, 30] {
        let mut answers = Vec::new();
        let (mut client, _connection) = stalled_connection(server.addr, window).await;
        for _ in 0..STREAMS {
            let request = Request::get(format!("http://{}/large.bin", server.addr)).body(()).unwrap();
            let (answer, _) = client.send_request(request, true).unwrap();
            answers.push(timeout(PATIENCE, answer).await.expect("no head in time").unwrap());
        }
        eventually("no file is open", || async { open_files_in(&dir) == 0 }).await;
        assert!(answers.iter().all(|answer| answer.status() == StatusCode::OK));
    }
}
