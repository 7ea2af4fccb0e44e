//! A log on servers, of whichever kind: what does not depend on how they are asked.
//!
//! Every question runs as a task of the runtime that opened the log, with a timer of its own: a client's futures may wait for ever
//! while it has no connection, and the writer's own runtime runs only while the writer waits.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::seen::Seen;
use super::turns::Turns;
use super::{Appended, Log, LogError, LogId, Position, Record, unanswered};

/// Longest wait for an answer. Calls of the chat that need the log wait for five seconds, so this leaves time for a second try.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Shortest time until a call says that the log does not answer: callers may call again at once.
pub(super) const PAUSE: Duration = Duration::from_millis(250);

/// Longest time for a copy of the database, and for removing entries.
pub(super) const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(600);

/// Time without an answer after which the servers are connected to anew. Longer than an election, during which none answers.
pub(super) const UNHEARD: Duration = Duration::from_secs(10);

/// Entries that were received and not yet taken; the next ones wait with the servers.
const QUEUE: usize = 16;

/// The connections to the servers of one kind, for one log. They answer as [`Log`] says, but need not keep time.
pub(in crate::chat) trait Connection: Send + Sync + 'static {
    /// See [`Log::end_may_be_old`].
    const END_MAY_BE_OLD: bool;

    /// The log's identity, end and turns, as far as they are known.
    fn known(&self) -> &Known;

    /// See [`Log::append`].
    fn append(
        &self,
        after: Position,
        entry: Bytes,
    ) -> impl Future<Output = Result<Appended, LogError>> + Send;

    /// Sends the entries above `after` as they come. Ends without an error when nobody takes them any more.
    fn read(
        &self,
        after: Position,
        entries: &Sender<Result<Record, LogError>>,
    ) -> impl Future<Output = Result<(), LogError>> + Send;

    /// See [`Log::end`].
    fn end(&self) -> impl Future<Output = Result<Position, LogError>> + Send;

    /// See [`Log::put_snapshot`].
    fn put_snapshot(
        &self,
        position: Position,
        database: &Path,
    ) -> impl Future<Output = Result<(), LogError>> + Send;

    /// See [`Log::newest_snapshot`].
    fn newest_snapshot(&self, into: &Path)
    -> impl Future<Output = Result<Option<Position>, LogError>> + Send;

    /// See [`Log::trim`].
    fn trim(&self, up_to: Position) -> impl Future<Output = Result<(), LogError>> + Send;

    /// Sends a message about turns to all servers of the chat. It may be lost.
    fn tell(&self, message: Bytes) -> impl Future<Output = ()> + Send;

    /// The servers have not answered. Those that have not for [`UNHEARD`] are connected to anew.
    fn miss(&self) -> impl Future<Output = ()> + Send;
}

/// The things that are known of a log on servers.
pub(in crate::chat) struct Known {
    /// The log's identity.
    pub(super) id: LogId,
    pub(super) seen: Mutex<Seen>,
    /// The turns of the log's writers.
    pub(super) turns: Arc<Turns>,
    /// Time of the servers' last answer, or of the connection that may still give one.
    pub(super) heard: Mutex<Instant>,
}

impl Known {
    pub(super) fn new(id: LogId, seen: Seen, turns: Arc<Turns>) -> Self {
        Self { id, seen: Mutex::new(seen), turns, heard: Mutex::new(Instant::now()) }
    }

    /// The servers have answered.
    pub(super) fn hear(&self) {
        *self.heard.lock() = Instant::now();
    }
}

/// The log. Clones are handles to the same connections.
pub(in crate::chat) struct Remote<C> {
    connection: Arc<C>,
    runtime: Handle,
}

impl<C> Clone for Remote<C> {
    fn clone(&self) -> Self {
        Self { connection: self.connection.clone(), runtime: self.runtime.clone() }
    }
}

impl<C: Connection> fmt::Debug for Remote<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("id", &self.connection.known().id).finish_non_exhaustive()
    }
}

impl<C: Connection> Remote<C> {
    /// Needs a runtime, which has to live as long as the log is used.
    pub(super) fn new(connection: C) -> Self {
        Self { connection: Arc::new(connection), runtime: Handle::current() }
    }

    /// Runs a task with a timer. One that fails sooner than [`PAUSE`] is not answered until then.
    fn run<T, F>(
        &self,
        limit: Duration,
        work: impl FnOnce(Arc<C>) -> F + Send + 'static,
    ) -> BoxFuture<'static, Result<T, LogError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, LogError>> + Send + 'static,
    {
        let (connection, runtime) = (self.connection.clone(), self.runtime.clone());
        async move {
            let task = runtime.spawn(async move {
                let pause = Instant::now() + PAUSE;
                let done = timeout(limit, work(connection.clone())).await;
                let done = done.unwrap_or_else(|elapsed| Err(unanswered(elapsed)));
                if let Err(LogError::Unanswered(_)) = done {
                    connection.miss().await;
                    sleep_until(pause).await;
                } else {
                    connection.known().hear();
                }
                done
            });
            task.await.unwrap_or_else(|error| Err(unanswered(error)))
        }
        .boxed()
    }
}

impl<C: Connection> Log for Remote<C> {
    fn id(&self) -> LogId {
        self.connection.known().id
    }

    fn append(&self, after: Position, entry: Bytes) -> BoxFuture<'_, Result<Appended, LogError>> {
        self.run(ANSWER_TIMEOUT, async move |connection: Arc<C>| connection.append(after, entry).await)
    }

    fn follow(&self, after: Position) -> BoxStream<'static, Result<Record, LogError>> {
        let (entries, received) = mpsc::channel(QUEUE);
        self.runtime.spawn(follow(self.connection.clone(), after, entries));
        ReceiverStream::new(received).boxed()
    }

    fn end(&self) -> BoxFuture<'_, Result<Position, LogError>> {
        self.run(ANSWER_TIMEOUT, async move |connection: Arc<C>| connection.end().await)
    }

    fn end_may_be_old(&self) -> bool {
        C::END_MAY_BE_OLD
    }

    fn put_snapshot<'a>(
        &'a self,
        position: Position,
        database: &'a Path,
    ) -> BoxFuture<'a, Result<(), LogError>> {
        let database = PathBuf::from(database);
        self.run(SNAPSHOT_TIMEOUT, async move |connection: Arc<C>| {
            connection.put_snapshot(position, &database).await
        })
    }

    fn newest_snapshot<'a>(&'a self, into: &'a Path) -> BoxFuture<'a, Result<Option<Position>, LogError>> {
        let into = PathBuf::from(into);
        self.run(SNAPSHOT_TIMEOUT, async move |connection: Arc<C>| connection.newest_snapshot(&into).await)
    }

    fn want_turn(&self, wants: bool) {
        let connection = self.connection.clone();
        let message = connection.known().turns.message(wants);
        self.runtime.spawn(async move { timeout(ANSWER_TIMEOUT, connection.tell(message)).await });
    }

    fn turn_of_others(&self) -> Option<BoxFuture<'_, ()>> {
        self.connection.known().turns.of_others().map(futures_util::FutureExt::boxed)
    }

    fn trim(&self, up_to: Position) -> BoxFuture<'_, Result<(), LogError>> {
        self.run(SNAPSHOT_TIMEOUT, async move |connection: Arc<C>| connection.trim(up_to).await)
    }
}

/// Sends the entries above `after` until nobody takes them any more, or the log cannot be followed.
async fn follow<C: Connection>(
    connection: Arc<C>,
    after: Position,
    entries: Sender<Result<Record, LogError>>,
) {
    let pause = Instant::now() + PAUSE;
    let followed = tokio::select! {
        () = entries.closed() => return,
        followed = connection.read(after, &entries) => followed,
    };
    if let Err(error) = followed {
        if let LogError::Unanswered(_) = error {
            connection.miss().await;
            sleep_until(pause).await;
        }
        // It may have lost its interest meanwhile.
        entries.send(Err(error)).await.ok();
    }
}
