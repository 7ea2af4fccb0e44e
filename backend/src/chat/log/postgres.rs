//! The log as a table of PostgreSQL: an entry's position is its primary key.
//!
//! An append inserts behind the row of the position before, so an entry at a position that is taken is the conflict, and one that
//! would leave a gap is, too. The first row is that of the last entry that was trimmed: it has its position, and no content. The name
//! of the table has the log's id in it, so an append for one log can never be stored in another one under the same name.
//!
//! Two connections: appends wait for the server's disk on one, everything that only reads is on the other one, and so is the bell, by
//! which a server hears at once that there is an entry. The bell may be lost, so followers also look by themselves. What takes
//! longer has a connection for itself. Knows no entry's content.

mod connect;
mod follow;
mod manage;
mod snapshots;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_stream::wrappers::ReceiverStream;

use super::cluster::ClusterError;
use super::seen::Seen;
use super::turns::Turns;
use super::{Appended, Log, LogError, LogId, Position, Record, unanswered};

use self::connect::{Heard, Link, Session};

pub use self::connect::Servers;
pub use self::manage::{init, replace, save_newest, status};

/// Longest wait for an answer. Calls of the chat that need the log wait for five seconds, so this leaves time for a second try.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Shortest time until a call says that the log does not answer: callers may call again at once.
const PAUSE: Duration = Duration::from_millis(250);

/// Longest time for a copy of the database, and for removing entries.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(600);

/// Time without an answer after which the connections are made anew. An append waits as long as the server waits for its standby:
/// giving up a connection then would leave a process of the server behind each time.
const UNHEARD: Duration = Duration::from_secs(10);

/// Entries that were received and not yet taken; the next ones wait in the database.
const QUEUE: usize = 16;

/// The log of a cluster. Clones are handles to the same connections.
#[derive(Clone)]
pub struct Postgres {
    connection: Arc<Connection>,
    runtime: Handle,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("id", &self.connection.id).finish_non_exhaustive()
    }
}

/// The connections to the server, and what is known of the log.
struct Connection {
    servers: Servers,
    id: LogId,
    /// The channel of the bell, which is also its name as an identifier.
    channel: String,
    writing: Link,
    reading: Link,
    seen: Mutex<Seen>,
    bell: Arc<watch::Sender<()>>,
    turns: Arc<Turns>,
    /// Time of the last answer.
    heard: Mutex<Instant>,
}

impl Postgres {
    /// Connects, and opens the log that [`init`] has made. Needs a runtime, which has to live as long as the log is used.
    pub async fn open(servers: &Servers) -> Result<Self, ClusterError> {
        let mut own = [0; 8];
        getrandom::fill(&mut own).map_err(|error| ClusterError::Database(error.into()))?;
        let turns = Arc::new(Turns::new(format!("{:016x}", u64::from_be_bytes(own))));
        let bell = Arc::new(watch::Sender::new(()));
        let client = servers.connect(&Heard::Nothing).await?;
        servers.check_synced(&client).await?;
        let id = servers.find(&client).await?;
        let channel = servers.channel(id);
        let heard = Heard::Bell { channel: channel.clone(), bell: bell.clone(), turns: turns.clone() };
        let connection = Connection {
            writing: Link::new(Heard::Nothing, servers.append_statement(id)),
            reading: Link::new(heard, servers.read_statement(id)),
            servers: servers.clone(),
            id,
            channel,
            seen: Mutex::default(),
            bell,
            turns,
            heard: Mutex::new(Instant::now()),
        };
        // So that the first answers about the end are judged, and the bell is heard before there is a follower.
        connection.end().await.map_err(|error| ClusterError::Database(error.into()))?;
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
                    connection.connect_again_if_unheard();
                    sleep_until(pause).await;
                }
                done
            });
            task.await.unwrap_or_else(|error| Err(unanswered(error)))
        }
        .boxed()
    }
}

impl Log for Postgres {
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
        let message = connection.turns.message(wants);
        self.runtime.spawn(async move { connection.tell(&String::from_utf8_lossy(&message)).await });
    }

    fn turn_of_others(&self) -> Option<BoxFuture<'_, ()>> {
        self.connection.turns.of_others().map(futures_util::FutureExt::boxed)
    }

    fn trim(&self, up_to: Position) -> BoxFuture<'_, Result<(), LogError>> {
        self.run(SNAPSHOT_TIMEOUT, async move |connection: Arc<Connection>| connection.trim(up_to).await)
    }
}

impl Connection {
    /// The connection of one kind, which is made again when it was lost.
    async fn session(&self, link: &Link) -> Result<Arc<Session>, LogError> {
        link.session(&self.servers).await.map_err(unanswered)
    }

    /// Records that the server answers.
    fn hear(&self) {
        *self.heard.lock() = Instant::now();
    }

    fn connect_again_if_unheard(&self) {
        let mut heard = self.heard.lock();
        if heard.elapsed() >= UNHEARD {
            tracing::warn!("the cluster's database gives no answer; connecting to it again");
            *heard = Instant::now();
            self.writing.give_up();
            self.reading.give_up();
        }
    }

    /// The error of a question. A table that is gone may be that of a log in the place of which there is another one.
    async fn fault(&self, client: &Client, error: tokio_postgres::Error) -> LogError {
        if error.code() == Some(&SqlState::UNDEFINED_TABLE) {
            match self.servers.find(client).await {
                Ok(id) if id != self.id => {
                    return LogError::Replaced { reason: "another one was made under its name" };
                }
                _ => {}
            }
        }
        unanswered(error)
    }

    /// An append that was given up goes on until the server answers, and the next one waits for that: while the server waits for a
    /// standby, the attempts would pile up on the connection.
    async fn append(&self, after: Position, entry: Bytes) -> Result<Appended, LogError> {
        let session = self.session(&self.writing).await?;
        let turn = session.in_flight.clone().lock_owned().await;
        let inserting = tokio::spawn({
            let session = session.clone();
            async move {
                let inserted =
                    session.client.execute(&session.statement, &[&number(after), &entry.as_ref()]).await;
                drop(turn);
                inserted
            }
        });
        let inserted = match inserting.await.map_err(unanswered)? {
            Ok(inserted) => inserted,
            Err(error) => return Err(self.fault(&session.client, error).await),
        };
        self.hear();
        if inserted == 0 {
            // The other one's entry is there; its bell may still be on its way.
            self.bell.send_replace(());
            return Ok(Appended::Conflict);
        }
        self.seen.lock().record(after + 1);
        Ok(Appended::Stored)
    }

    /// The end as the server says it, judged by what was seen.
    async fn end(&self) -> Result<Position, LogError> {
        let session = self.session(&self.reading).await?;
        match session.client.query_one(&self.servers.end_query(self.id), &[]).await {
            Ok(row) => {
                self.hear();
                // Without any row it has lost everything.
                let end = row.try_get::<_, Option<i64>>(0).map_err(unanswered)?.map_or(0, unsigned);
                self.seen.lock().judge(end)
            }
            Err(error) => Err(self.fault(&session.client, error).await),
        }
    }

    /// Tells all servers, this one included. A hint, which may be lost.
    async fn tell(&self, message: &str) {
        let told = async {
            let session = self.session(&self.reading).await?;
            // In one message, so that the end of a turn never overtakes its beginning. Our own mark has no quotes in it.
            let notify = format!("NOTIFY {}, '{message}'", self.channel);
            session.client.batch_execute(&notify).await.map_err(unanswered)
        };
        if let Ok(Err(error)) = timeout(ANSWER_TIMEOUT, told).await {
            tracing::debug!(%error, "the other servers are not told of a turn");
        }
    }

    async fn trim(&self, up_to: Position) -> Result<(), LogError> {
        // Many entries take their time, for which appends must not wait.
        let client = self.servers.connect(&Heard::Nothing).await.map_err(unanswered)?;
        match client.execute(&self.servers.trim_statement(self.id), &[&number(up_to)]).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.fault(&client, error).await),
        }
    }
}

/// A position as PostgreSQL has it. None comes near the limit.
fn number(position: Position) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> Position {
    Position::try_from(number).unwrap_or_default()
}
