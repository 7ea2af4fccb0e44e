//! The real program under attack from one address: others are served, memory stays within the budget, and few open files
//! are enough. Clients use several loopback addresses.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use proto::chat::v1 as pb;
use proto::helloworld::HelloRequest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::chat_client::Person;
use crate::support::http::{bare, web_call};
use crate::support::{ChildServer, PATIENCE};

const LIST_EVENTS: &str = "/chat.v1.ChatService/ListEvents";
const GREETINGS: &str = "/helloworld.Greeter/SayHelloStreamReply";

/// A connection from the address 127.0.0.`host`.
async fn connect_from(host: u8, addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into()).unwrap();
    socket.connect(addr).await.unwrap()
}

/// An HTTP/2 connection whose client takes no byte of any response.
async fn deaf(host: u8, addr: SocketAddr) -> SendRequest<Full<Bytes>> {
    let io = TokioIo::new(connect_from(host, addr).await);
    let builder = &mut http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.initial_stream_window_size(0).handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// The maximum number of greetings without pauses.
fn greetings() -> Request<Full<Bytes>> {
    let mut call = web_call("application/grpc", GREETINGS, &HelloRequest { name: "x".repeat(1_000) });
    *call.uri_mut() = format!("http://localhost{GREETINGS}").parse().unwrap();
    for (name, value) in [("x-greeter-count", "100000"), ("x-greeter-interval-ms", "0")] {
        call.headers_mut().insert(name, value.parse().unwrap());
    }
    call
}

/// An HTTP/1.1 request with a session for greetings that never end.
fn slow_greetings() -> String {
    format!(
        "POST {GREETINGS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc-web\r\ncookie: a=b\r\n\
         x-greeter-interval-ms: 60000\r\ncontent-length: 5\r\n\r\n\0\0\0\0\0"
    )
}

/// Sends and reads; every call has to succeed.
async fn use_the_chat(person: &mut Person, room: &str) {
    for _ in 0..10 {
        person.send(room, "hello").await;
        assert!(!person.rooms().await.is_empty());
        assert!(!person.page(room, None, 10).await.unwrap().events.is_empty());
    }
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "in time it did not happen that {what}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn warnings(server: &ChildServer, about: &str) -> usize {
    server.log().iter().filter(|line| line.contains(about)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_streams_of_one_address_are_bounded_and_others_are_served() {
    const CONNECTIONS: usize = 20;
    const STREAMS: usize = 250;
    let server = ChildServer::start().await;
    let mut person = Person::join(server.channel(), "Ada").await;
    let room = person.create_room("Room").await.unwrap().room.unwrap().id;
    use_the_chat(&mut person, &room).await;
    let before = server.memory();

    let answered = Arc::new(AtomicUsize::new(0));
    let mut calls = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let connection = deaf(2, server.addr).await;
        for _ in 0..STREAMS {
            let (mut connection, answered) = (connection.clone(), Arc::clone(&answered));
            calls.spawn(async move {
                let _response = connection.send_request(greetings()).await;
                answered.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            });
        }
    }
    while answered.load(Ordering::SeqCst) < CONNECTIONS * STREAMS {
        let start = Instant::now();
        use_the_chat(&mut person, &room).await;
        assert!(start.elapsed() < PATIENCE, "others wait for {:?}", start.elapsed());
    }

    let grown = server.memory().saturating_sub(before);
    assert!(grown < 160 * 1024 * 1024, "{grown} bytes");
    assert_eq!(warnings(&server, "the limit of open calls per address was reached"), 1);
    drop(calls);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_pages_of_history_are_bounded_and_others_are_served() {
    const CONNECTIONS: usize = 4;
    const CALLS: usize = 250;
    let server = ChildServer::start().await;
    let mut person = Person::join(server.channel(), "Ada").await;
    let room = person.create_room("Room").await.unwrap().room.unwrap().id;
    // A page of 1 MB.
    let text = "\u{4e2d}".repeat(4_000);
    for _ in 0..90 {
        person.send(&room, &text).await;
    }
    let page = person.page(&room, None, 500).await.unwrap();
    assert!(page.events.len() > 80, "{} events", page.events.len());
    let before = server.memory();

    let request = pb::ListEventsRequest { room_id: room.clone(), range: None, limit: 500 };
    let mut calls = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let connection = deaf(2, server.addr).await;
        for _ in 0..CALLS {
            let mut call = web_call("application/grpc", LIST_EVENTS, &request);
            *call.uri_mut() = format!("http://localhost{LIST_EVENTS}").parse().unwrap();
            call.headers_mut().insert("authorization", format!("Bearer {}", person.token).parse().unwrap());
            let mut connection = connection.clone();
            calls.spawn(async move {
                let _response = connection.send_request(call).await;
                std::future::pending::<()>().await;
            });
        }
    }
    let mut most = 0;
    for _ in 0..10 {
        use_the_chat(&mut person, &room).await;
        most = most.max(server.memory().saturating_sub(before));
    }

    assert!(most >= CONNECTIONS * 2 * 1024 * 1024, "{most} bytes: the calls have not come");
    assert!(most < 100 * 1024 * 1024, "{most} bytes");
    drop(calls);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_flood_of_one_address_keeps_nobody_out_and_is_logged_once() {
    let flags = ["--max-connections=60".to_owned(), "--max-connections-per-address=40".to_owned()];
    let server = ChildServer::start_with(&flags).await;
    let mut attack = JoinSet::new();
    for index in 0..200 {
        let addr = server.addr;
        attack.spawn(async move {
            let mut stream = connect_from(2, addr).await;
            // Silence, half a head, HTTP/2 without a request, and a body that never arrives.
            let first: &[u8] = match index % 4 {
                0 => b"",
                1 => b"GET / HTTP/1.1\r\nhost: localhost\r\n",
                2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
                _ => {
                    b"POST /chat.v1.ChatService/Join HTTP/1.1\r\nhost: localhost\r\n\
                       content-type: application/grpc-web\r\ncontent-length: 100000\r\n\r\n"
                }
            };
            // A refused connection may be closed already.
            stream.write_all(first).await.ok();
            std::future::pending::<()>().await;
        });
    }
    let mut people = Vec::new();
    for number in 0..5 {
        let mut person = Person::join(server.channel(), &format!("Person {number}")).await;
        let room = person.create_room(&format!("Room {number}")).await.unwrap().room.unwrap().id;
        use_the_chat(&mut person, &room).await;
        people.push((person, room));
    }
    let about = "the limit of open connections per address was reached";
    eventually("it is reported", || warnings(&server, about) > 0).await;
    for (person, room) in &mut people {
        use_the_chat(person, room).await;
    }

    assert_eq!(warnings(&server, about), 1, "{:?}", server.log());
    let line = server.log().into_iter().find(|line| line.contains(about)).unwrap();
    for field in ["connections.open", "connections.limit", "refused", "closed_idle"] {
        assert!(line.contains(field), "{field} is not in {line}");
    }
    assert!(!line.contains("127.0.0.2"), "{line}");
    drop(attack);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_few_open_files_connections_that_fit_are_served() {
    let server = ChildServer::start_with_files(64, &[]).await;
    std::fs::create_dir_all(server.page_dir()).unwrap();
    std::fs::write(server.page_dir().join("index.html"), "<!doctype html><title>Page</title>").unwrap();
    let mut person = Person::join(server.channel(), "Ada").await;
    let room = person.create_room("Room").await.unwrap().room.unwrap().id;

    // Idle connections are closed to make room, so this one follows the chat.
    let following = person.subscribe(Vec::new(), 0).await.unwrap();

    // Opens busy connections with a session until one is refused.
    let (mut busy, mut refused) = (Vec::new(), 0);
    for _ in 0..100 {
        let mut stream = connect_from(2, server.addr).await;
        let head = slow_greetings();
        let mut answer = [0; 12];
        let exchange = async {
            stream.write_all(head.as_bytes()).await?;
            stream.read_exact(&mut answer).await
        };
        match timeout(PATIENCE, exchange).await.expect("neither served nor refused") {
            Ok(_) if &answer == b"HTTP/1.1 200" => busy.push(stream),
            Ok(_) => {
                assert_eq!(&answer, b"HTTP/1.1 503");
                refused += 1;
            }
            // Refused without a response.
            Err(_) => refused += 1,
        }
    }
    assert!(busy.len() >= 20, "only {} connections are served", busy.len());
    assert!(refused > 0);

    use_the_chat(&mut person, &room).await;
    // Makes room for the page.
    busy.pop();
    let page = async {
        loop {
            let answer = try_get(server.addr, "/").await;
            if answer.is_some_and(|status| status == StatusCode::OK) {
                return;
            }
        }
    };
    timeout(PATIENCE, page).await.expect("the page is not served");
    assert_eq!(warnings(&server, "fewer connections than configured"), 1);
    assert_eq!(warnings(&server, "cannot accept"), 0, "{:?}", server.log());
    drop(following);
}

/// Returns `None` if the connection was closed.
async fn try_get(addr: SocketAddr, path: &str) -> Option<StatusCode> {
    let stream = connect_from(3, addr).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let mut request = bare(http::Method::GET, path);
    request.headers_mut().insert("host", "localhost".parse().unwrap());
    let response = timeout(PATIENCE, sender.send_request(request)).await.expect("no answer").ok()?;
    let status = response.status();
    response.into_body().collect().await.ok()?;
    Some(status)
}
