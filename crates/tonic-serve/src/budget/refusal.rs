//! The answer to a connection for which there is no place: a few bytes, in a short time, for a few at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{RETRY_AFTER, few_of};
use crate::options::ServeOptions;

/// How many connections are being refused at once; where few connections may be open, an eighth of these. Above
/// it, new ones are closed without an answer.
const MAX_REFUSALS: usize = 32;

/// How long one refusal may take in all.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes that are read of a refused client: were it closed while there is something to read, its system would
/// throw the answer away.
const MAX_READ: usize = 64 * 1024;

/// The first bytes of HTTP/2.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Empty SETTINGS, and GOAWAY: no stream was looked at (last stream 0), ENHANCE_YOUR_CALM (0xb).
const GO_AWAY: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\x0b";

/// Refuses connections.
pub(crate) struct Refusals {
    places: Arc<Semaphore>,
    /// In TLS nothing can be said without a handshake, which costs more than it is worth.
    answers: bool,
    tasks: TaskTracker,
    draining: CancellationToken,
}

impl Refusals {
    /// Runs on `tasks` until `draining` is cancelled.
    pub(crate) fn new(tasks: TaskTracker, draining: CancellationToken, options: &ServeOptions) -> Self {
        let places = Arc::new(Semaphore::new(few_of(options.max_connections, MAX_REFUSALS)));
        Self { places, answers: options.tls.is_none(), tasks, draining }
    }

    /// Answers in the background that there is no place, and closes.
    pub(crate) fn refuse(&self, stream: TcpStream) {
        if !self.answers {
            return;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let draining = self.draining.clone();
        self.tasks.spawn(async move {
            let _place = place;
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
