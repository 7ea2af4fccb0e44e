//! The log as a stream of NATS JetStream: the numbers of the stream are the positions.
//!
//! The condition of an append is the stream-wide `Nats-Expected-Last-Sequence`, which is a part of what the servers agree on. The
//! subject of the entries has the log's id in it, so an append for one log can never be stored in another one under the same name.
//!
//! Everything runs as a task of the runtime that opened the log, with a timer of its own: the client's futures may wait for ever
//! while it has no connection, and the writer's own runtime runs only while the writer waits. Knows no entry's content.

mod connect;
mod follow;
mod manage;
mod snapshots;
mod turns;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::header::NATS_EXPECTED_LAST_SEQUENCE;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use futures_util::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::cluster::ClusterError;
use super::seen::Seen;
use super::{Appended, Log, LogError, LogId, Position, Record, unanswered};

use self::turns::Turns;

pub use self::connect::Servers;
pub use self::manage::{init, replace, save_newest, status};

/// Longest wait for an answer. Calls of the chat that need the log wait for five seconds, so this leaves time for a second try.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Time after which a question that was not answered is asked again. While a stream has no leader, nobody answers, and the next leader
/// does not know the questions before.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Shortest time until a call says that the log does not answer: callers may call again at once.
const PAUSE: Duration = Duration::from_millis(250);

/// Longest time for a copy of the database.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(600);

/// Time without an answer after which the connection changes to another server: the one that it has may be cut off from the others.
/// Longer than an election, during which no server answers.
const UNHEARD: Duration = Duration::from_secs(10);

/// Entries that were received and not yet taken; the next ones wait in the client.
const QUEUE: usize = 16;

/// The log of a cluster. Clones are handles to the same connection.
#[derive(Clone)]
pub struct JetStream {
    connection: Arc<Connection>,
    runtime: Handle,
}

impl fmt::Debug for JetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Connection { stream, id, .. } = &*self.connection;
        f.debug_struct("JetStream").field("stream", stream).field("id", id).finish_non_exhaustive()
    }
}

/// The connection to the servers, and what is known of the stream.
struct Connection {
    context: Context,
    stream: String,
    subject: String,
    bucket: String,
    id: LogId,
    seen: Mutex<Seen>,
    turns: Turns,
    /// Time of the last answer, or of the connection that may still give one.
    heard: Mutex<Instant>,
}

impl JetStream {
    /// Connects, and opens the log that [`init`] has made. Needs a runtime, which has to live as long as the log is used.
    pub async fn open(servers: &Servers) -> Result<Self, ClusterError> {
        let context = servers.connect().await?;
        let (id, info) = servers.find(&context).await?;
        let seen = Seen::new(info.state.last_sequence);
        let turns = Turns::listen(&context.client(), servers.turns(id)).await?;
        let connection = Connection {
            context,
            stream: servers.stream(),
            subject: servers.subject(id),
            bucket: servers.bucket(),
            id,
            seen: Mutex::new(seen),
            turns,
            heard: Mutex::new(Instant::now()),
        };
        Ok(Self { connection: Arc::new(connection), runtime: Handle::current() })
    }

    /// Runs a task with a timer. One that fails sooner than [`PAUSE`] is not answered until then.
    fn run<T, F>(
        &self,
        limit: Duration,
        work: impl FnOnce(Arc<Connection>) -> F + Send + 'static,
    ) -> BoxFuture<'static, Result<T, LogError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, LogError>> + Send + 'static,
    {
        let (connection, runtime) = (self.connection.clone(), self.runtime.clone());
        async move {
            let task = runtime.spawn(async move {
                let pause = tokio::time::Instant::now() + PAUSE;
                let done = timeout(limit, work(connection.clone())).await;
                let done = done.unwrap_or_else(|elapsed| Err(unanswered(elapsed)));
                if let Err(LogError::Unanswered(_)) = done {
                    connection.change_server_if_unheard().await;
                    sleep_until(pause).await;
                } else {
                    *connection.heard.lock() = Instant::now();
                }
                done
            });
            task.await.unwrap_or_else(|error| Err(unanswered(error)))
        }
        .boxed()
    }
}

impl Log for JetStream {
    fn id(&self) -> LogId {
        self.connection.id
    }

    fn append(&self, after: Position, entry: Bytes) -> BoxFuture<'_, Result<Appended, LogError>> {
        self.run(ANSWER_TIMEOUT, async move |connection: Arc<Connection>| {
            connection.append(after, entry).await
        })
    }

    fn follow(&self, after: Position) -> BoxStream<'static, Result<Record, LogError>> {
        let (entries, received) = mpsc::channel(QUEUE);
        self.runtime.spawn(self.connection.clone().follow(after, entries));
        ReceiverStream::new(received).boxed()
    }

    fn end(&self) -> BoxFuture<'_, Result<Position, LogError>> {
        self.run(ANSWER_TIMEOUT, async move |connection: Arc<Connection>| connection.end().await)
    }

    fn put_snapshot<'a>(
        &'a self,
        position: Position,
        database: &'a Path,
    ) -> BoxFuture<'a, Result<(), LogError>> {
        let database = PathBuf::from(database);
        self.run(SNAPSHOT_TIMEOUT, async move |connection: Arc<Connection>| {
            connection.snapshots().await?.put(position, &database).await
        })
    }

    fn newest_snapshot<'a>(&'a self, into: &'a Path) -> BoxFuture<'a, Result<Option<Position>, LogError>> {
        let into = PathBuf::from(into);
        self.run(SNAPSHOT_TIMEOUT, async move |connection: Arc<Connection>| {
            connection.snapshots().await?.newest(&into).await
        })
    }

    fn want_turn(&self, wants: bool) {
        let connection = self.connection.clone();
        self.runtime.spawn(async move {
            if connection.check_connected().is_ok() {
                connection.turns.tell(&connection.context.client(), wants).await;
            }
        });
    }

    fn turn_of_others(&self) -> Option<BoxFuture<'_, ()>> {
        self.connection.turns.of_others().map(futures_util::FutureExt::boxed)
    }

    fn trim(&self, up_to: Position) -> BoxFuture<'_, Result<(), LogError>> {
        self.run(ANSWER_TIMEOUT, async move |connection: Arc<Connection>| connection.trim(up_to).await)
    }
}

impl Connection {
    /// The client keeps commands while it has no connection, and sends them later, so nothing is given to it then.
    fn check_connected(&self) -> Result<(), LogError> {
        match self.context.client().connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => Err(unanswered("there is no connection")),
        }
    }

    /// Connects to another server, or to the same one again, if the log has not answered on this connection for long.
    async fn change_server_if_unheard(&self) {
        let is_unheard = {
            let mut heard = self.heard.lock();
            let is_unheard = heard.elapsed() >= UNHEARD;
            // A new connection has as long.
            if is_unheard || self.check_connected().is_err() {
                *heard = Instant::now();
            }
            is_unheard
        };
        if is_unheard && self.check_connected().is_ok() {
            tracing::warn!("the cluster's server gives no answer about the log; changing to any of them");
            // It takes a place in the client's queue, and is tried again after as long.
            timeout(ANSWER_TIMEOUT, self.context.client().force_reconnect()).await.ok();
        }
    }

    async fn append(&self, after: Position, entry: Bytes) -> Result<Appended, LogError> {
        // An answer is lost with the server that would have given it. Of several attempts the condition lets one be stored.
        match ask(|| self.publish(after, entry.clone())).await? {
            Ok(answer) if answer.sequence == after + 1 => {
                self.seen.lock().record(answer.sequence);
                Ok(Appended::Stored)
            }
            Ok(_) => {
                Err(LogError::Replaced { reason: "it has stored an entry elsewhere than it was told to" })
            }
            Err(error) if is_conflict(&error) => Ok(Appended::Conflict),
            Err(error) => {
                if error.kind() == PublishErrorKind::StreamNotFound {
                    // Nobody takes entries of this log: it has no leader now, or it is another one.
                    self.info().await?;
                }
                Err(unanswered(error))
            }
        }
    }

    async fn publish(
        &self,
        after: Position,
        entry: Bytes,
    ) -> Result<Result<PublishAck, PublishError>, LogError> {
        self.check_connected()?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, HeaderValue::from(after));
        Ok(match self.context.publish_with_headers(self.subject.clone(), headers, entry).await {
            Ok(acknowledged) => acknowledged.await,
            Err(error) => Err(error),
        })
    }

    async fn end(&self) -> Result<Position, LogError> {
        let info = self.info().await?;
        self.seen.lock().judge(info.state.last_sequence)
    }

    /// The stream's state, if it still is this log.
    async fn info(&self) -> Result<Info, LogError> {
        self.check_connected()?;
        let stream = ask(|| self.context.get_stream(&self.stream)).await.map_err(unanswered)?;
        let info = stream.cached_info().clone();
        if connect::log_id(&info) != Some(self.id) {
            return Err(LogError::Replaced { reason: "another one was made under its name" });
        }
        Ok(info)
    }

    async fn trim(&self, up_to: Position) -> Result<(), LogError> {
        let state = self.info().await?.state;
        // Beyond its end a stream would skip numbers.
        let up_to = up_to.min(state.last_sequence);
        if up_to < state.first_sequence {
            return Ok(());
        }
        let stream = self.context.get_stream_no_info(&self.stream).await.map_err(unanswered)?;
        stream.purge().sequence(up_to + 1).await.map_err(unanswered)?;
        Ok(())
    }
}

/// The first answer to a question that may be asked twice, and is asked again until there is one. The caller has the timer.
async fn ask<F: Future>(question: impl Fn() -> F) -> F::Output {
    let mut asked = FuturesUnordered::new();
    loop {
        asked.push(question());
        if let Ok(Some(answer)) = timeout(ASK_AGAIN, asked.next()).await {
            return answer;
        }
    }
}

/// Whether the log ends elsewhere. The client has a kind for one of the two refusals; the second one is made while another append
/// with the same condition is on its way.
fn is_conflict(error: &PublishError) -> bool {
    if error.kind() == PublishErrorKind::WrongLastSequence {
        return true;
    }
    let refusal = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
    refusal.is_some_and(|refusal| refusal.error_code() == ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn question_is_asked_again_until_one_is_answered() {
        let asked = std::cell::Cell::new(0);
        // The third one gets an answer, and then the first one would.
        let answer = ask(|| {
            asked.set(asked.get() + 1);
            let (number, late) = (asked.get(), if asked.get() == 3 { 100 } else { 5_000 });
            async move {
                tokio::time::sleep(Duration::from_millis(late)).await;
                number
            }
        });
        assert_eq!(answer.await, 3);
        assert_eq!(asked.get(), 3);
    }

    #[test]
    fn both_refusals_of_an_append_are_conflicts() {
        let refused = |code: u64| {
            let json =
                format!(r#"{{"code": 400, "err_code": {code}, "description": "wrong last sequence"}}"#);
            let error: async_nats::jetstream::Error = serde_json::from_str(&json).unwrap();
            PublishError::with_source(PublishErrorKind::Other, error)
        };
        assert!(is_conflict(&PublishError::new(PublishErrorKind::WrongLastSequence)));
        assert!(is_conflict(&refused(10_164)));
        assert!(!is_conflict(&refused(10_077)));
        assert!(!is_conflict(&PublishError::new(PublishErrorKind::TimedOut)));
    }
}
