//! The response to a connection beyond the limit: a few bytes, in a short time, for a few connections at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::budget::{RETRY_AFTER, connections_beyond};
use crate::options::ServeOptions;

/// Connections that are refused at the same time; where few connections may be open, an eighth of these. Further ones are closed
/// without a response.
const MAX_REFUSALS: usize = 32;

/// Time for one refusal.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes that are read from a refused client. Closing a connection with unread bytes would reset it, and the client's system
/// would discard the response.
const MAX_READ: usize = 64 * 1024;

/// The first bytes of HTTP/2.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Empty SETTINGS, and GOAWAY: no stream was processed (last stream 0), ENHANCE_YOUR_CALM (0xb).
const GO_AWAY: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\x0b";

/// Refuses connections.
pub(super) struct Refusals {
    permits: Arc<Semaphore>,
    /// Inside TLS a response would need a handshake, which costs more than the refused connection.
    responds: bool,
    tasks: TaskTracker,
    draining: CancellationToken,
}

impl Refusals {
    /// Runs on `tasks` until `draining` is cancelled.
    pub(super) fn new(tasks: TaskTracker, draining: CancellationToken, options: &ServeOptions) -> Self {
        let permits = Arc::new(Semaphore::new(connections_beyond(options.max_connections, MAX_REFUSALS)));
        Self { permits, responds: options.tls.is_none(), tasks, draining }
    }

    /// Responds in the background, and closes the connection.
    pub(super) fn refuse(&self, stream: TcpStream) {
        if !self.responds {
            return;
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return };
        let draining = self.draining.clone();
        self.tasks.spawn(async move {
            let _permit = permit;
            tokio::select! {
                refused = timeout(REFUSAL_TIMEOUT, refuse(stream)) => {
                    if let Ok(Err(error)) = refused {
                        tracing::debug!(%error, "a refusal did not reach its client");
                    }
                }
                () = draining.cancelled() => {}
            }
        });
    }
}

async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    let mut first = Vec::with_capacity(HTTP2_PREFACE.len());
    while first.len() < HTTP2_PREFACE.len() && HTTP2_PREFACE.starts_with(&first) {
        let left = (HTTP2_PREFACE.len() - first.len()) as u64;
        if (&mut stream).take(left).read_buf(&mut first).await? == 0 {
            return Ok(());
        }
    }
    if first == HTTP2_PREFACE {
        stream.write_all(GO_AWAY).await?;
    } else {
        stream.write_all(service_unavailable().as_bytes()).await?;
    }
    stream.shutdown().await?;
    let (mut rest, mut left) = ([0; 1024], MAX_READ);
    while left > 0 {
        match stream.read(&mut rest).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

fn service_unavailable() -> String {
    const TEXT: &str = "too many connections are open\n";
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: {}\r\nconnection: close\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\r\n{TEXT}",
        RETRY_AFTER.as_secs(),
        TEXT.len(),
    )
}
