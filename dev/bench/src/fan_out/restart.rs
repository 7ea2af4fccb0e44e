//! Our server restarted under its subscribers: the time until all are back, and the check that each has every message once.
//!
//! A subscriber here does what a page does: it resumes with its cursor, over HTTP/1.1 and gRPC-Web, and waits as a goodbye tells it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::StreamExt as _;
use harness::Server;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use proto::chat::v1::subscribe_response::Frame;
use proto::chat::v1::{Cursor, Recovery, SubscribeRequest, SubscribeResponse};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::transport::Endpoint;

use super::connections::connect;
use super::received::message;
use crate::people::{Guest, ROOM, join};

/// Messages before the server is stopped, and after it is back.
const MESSAGES: u64 = 20;
/// Pause between two messages, and between two attempts of a subscriber to come back.
const PAUSE: Duration = Duration::from_millis(100);
/// Time in which subscribers have to have everything.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time of a stop.
const STOP: Duration = Duration::from_secs(10);

pub(super) async fn run(subscribers: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::new(folder.path())?.flags(["--log=warn".to_owned()]);
    server.add_flags([
        format!("--max-connections={}", subscribers + 100),
        format!("--max-calls={}", 2 * subscribers + 100),
    ]);
    let addr = server.start()?;
    let channel = Endpoint::from_shared(server.url())?.tcp_nodelay(true).connect_lazy();
    let guests = join(&channel, subscribers).await?;
    let author = guests.first().context("there are no subscribers")?.clone();
    let mut client = ChatServiceClient::new(channel);
    let state = Arc::new(State::default());
    let mut followers = JoinSet::new();
    for (index, guest) in guests.into_iter().enumerate() {
        followers.spawn(Follower { server: addr, index, guest, cursor: None }.follow(Arc::clone(&state)));
    }
    let all = subscribers as u64;
    state.catch_up(all, &mut followers).await?;
    println!("| {subscribers} subscribers, server ended by | all are back after it listens, s |\n|---|---:|");
    for (number, ends_by) in (2..).zip(["SIGTERM", "SIGKILL"]) {
        send(&mut client, &author, MESSAGES).await?;
        let ended = if ends_by == "SIGKILL" { server.kill() } else { server.terminate(STOP).map(drop) };
        ended?;
        server.start()?;
        let listens = Instant::now();
        // These come while the subscribers do.
        let sending = send(&mut client, &author, MESSAGES);
        let (newest, back) = tokio::join!(sending, async {
            state.catch_up(all * number, &mut followers).await.map(|()| listens.elapsed())
        });
        println!("| {ends_by} | {:.1} |", back?.as_secs_f64());
        state.newest.store(newest?, Ordering::Relaxed);
    }
    let newest = state.newest.load(Ordering::Relaxed);
    state.is_last.store(true, Ordering::Relaxed);
    // Each ends with this one, and fails before that at an event that is missing or comes twice.
    send(&mut client, &author, 1).await?;
    let end = async {
        while let Some(ended) = followers.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, end).await.context("not all subscribers have the newest message")??;
    println!("\nAll have each event up to {} once, in order.", newest + 1);
    Ok(())
}

/// Sends messages, each until it is acknowledged. Returns the number of the newest event.
async fn send(
    client: &mut ChatServiceClient<tonic::transport::Channel>,
    author: &Guest,
    count: u64,
) -> Result<u64> {
    let mut newest = 0;
    for _ in 0..count {
        let request = author.message(&message()).into_inner();
        let deadline = Instant::now() + PATIENCE;
        newest = loop {
            match client.send_message(author.request(request.clone())).await {
                Ok(sent) => break sent.into_inner().seq,
                Err(status) => ensure!(Instant::now() < deadline, "a send fails: {status}"),
            }
            sleep(PAUSE).await;
        };
        sleep(PAUSE).await;
    }
    Ok(newest)
}

#[derive(Default)]
struct State {
    /// CaughtUp of all streams.
    caught_up: AtomicU64,
    /// The newest event that the sender knows.
    newest: AtomicU64,
    /// The event behind it is the last: subscribers end.
    is_last: AtomicBool,
}

impl State {
    /// Waits until `count` streams have caught up; fails with a subscriber.
    async fn catch_up(&self, count: u64, followers: &mut JoinSet<Result<()>>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.caught_up.load(Ordering::Relaxed) < count {
            if let Some(ended) = followers.try_join_next() {
                ended??;
                bail!("a subscriber has ended");
            }
            let came = self.caught_up.load(Ordering::Relaxed);
            ensure!(Instant::now() < deadline, "{came} of {count} streams have caught up");
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

/// A subscriber that comes back.
struct Follower {
    server: SocketAddr,
    index: usize,
    guest: Guest,
    cursor: Option<Cursor>,
}

impl Follower {
    async fn follow(mut self, state: Arc<State>) -> Result<()> {
        loop {
            let delay = match self.subscribe().await {
                // The server does not listen, or has closed the connection.
                Err(_) => PAUSE,
                Ok(body) => match self.read(body, &state).await? {
                    Some(delay) => delay,
                    None => return Ok(()),
                },
            };
            sleep(delay).await;
        }
    }

    async fn subscribe(&self) -> Result<Incoming> {
        let stream = TokioIo::new(connect(self.server, self.index).await?);
        let (mut call, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        let cursors = self.cursor.iter().cloned().collect();
        let body = SubscribeRequest { cursors, replay_limit: 0 }.encode_to_vec();
        let request = http::Request::post("/chat.v1.ChatService/Subscribe")
            .header("host", "localhost")
            .header("content-type", "application/grpc-web+proto")
            .header("authorization", self.guest.authorization())
            .body(Full::new(grpc_wire::message::encode(0, &body)))?;
        let response = call.send_request(request).await?;
        ensure!(response.status().is_success() && !response.headers().contains_key("grpc-status"));
        Ok(response.into_body())
    }

    /// Reads until the stream ends, and returns the delay before the next one; `None` after the newest event.
    async fn read(&mut self, body: Incoming, state: &State) -> Result<Option<Duration>> {
        let mut delay = PAUSE;
        let mut chunks = body.into_data_stream();
        let mut buffer = bytes::BytesMut::new();
        while let Some(Ok(chunk)) = chunks.next().await {
            buffer.extend_from_slice(&chunk);
            while let Some((prefix, payload)) = grpc_wire::message::split_first(&mut buffer) {
                if prefix.flags & grpc_wire::web::TRAILERS != 0 {
                    continue;
                }
                match SubscribeResponse::decode(payload)?.frame {
                    Some(Frame::CaughtUp(_)) => drop(state.caught_up.fetch_add(1, Ordering::Relaxed)),
                    Some(Frame::Goodbye(goodbye)) => {
                        delay = Duration::from_millis(goodbye.reconnect_after_ms.into());
                    }
                    Some(frame) => self.take(frame)?,
                    None => {}
                }
                let newest = state.newest.load(Ordering::Relaxed);
                let is_last = state.is_last.load(Ordering::Relaxed);
                if is_last && self.cursor.as_ref().is_some_and(|cursor| cursor.seq > newest) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(delay))
    }

    fn take(&mut self, frame: Frame) -> Result<()> {
        match frame {
            Frame::RoomState(room) if self.cursor.is_none() => {
                let cursor = Cursor { epoch: room.epoch, seq: room.head_seq, ..Cursor::default() };
                self.cursor = Some(Cursor { room_id: ROOM.to_owned(), ..cursor });
            }
            Frame::RoomState(room) => {
                ensure!(room.recovery() == Recovery::Full, "a cursor is {:?}", room.recovery());
            }
            Frame::Events(events) => {
                let cursor = self.cursor.as_mut().context("events come before their room")?;
                for event in events.events {
                    ensure!(event.seq == cursor.seq + 1, "event {} follows {}", event.seq, cursor.seq);
                    cursor.seq = event.seq;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
