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

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::cluster::ClusterError;
use super::remote::{self, Connection as _, Known, Remote, UNHEARD};
use super::seen::Seen;
use super::turns::Turns;
use super::{Appended, LogError, Position, Record, unanswered};

use self::connect::{Heard, Link, Session};

pub use self::connect::Servers;
pub use self::manage::{init, replace, save_newest, status};

/// The log of a cluster. Clones are handles to the same connections.
pub(in crate::chat) type Postgres = Remote<Connection>;

/// The connections to the server, and what is known of the log.
pub(in crate::chat) struct Connection {
    servers: Servers,
    known: Known,
    /// The channel of the bell, which is also its name as an identifier.
    channel: String,
    writing: Link,
    reading: Link,
    bell: Arc<watch::Sender<()>>,
}

impl Postgres {
    /// Connects, and opens the log that [`init`] has made. Needs a runtime, which has to live as long as the log is used.
    pub(in crate::chat) async fn open(servers: &Servers) -> Result<Self, ClusterError> {
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
            known: Known::new(id, Seen::default(), turns),
            channel,
            bell,
        };
        // So that the first answers about the end are judged, and the bell is heard before there is a follower.
        connection.end().await.map_err(|error| ClusterError::Database(error.into()))?;
        Ok(Self::new(connection))
    }
}

impl remote::Connection for Connection {
    /// There is one server that takes entries.
    const END_MAY_BE_OLD: bool = false;

    fn known(&self) -> &Known {
        &self.known
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
        if inserted == 0 {
            // The other one's entry is there; its bell may still be on its way.
            self.bell.send_replace(());
            return Ok(Appended::Conflict);
        }
        self.known.seen.lock().record(after + 1);
        Ok(Appended::Stored)
    }

    async fn read(
        &self,
        after: Position,
        entries: &Sender<Result<Record, LogError>>,
    ) -> Result<(), LogError> {
        self.deliver(after, entries).await
    }

    /// The end as the server says it, judged by what was seen.
    async fn end(&self) -> Result<Position, LogError> {
        let session = self.session(&self.reading).await?;
        let expected = self.known.seen.lock().end();
        match session.client.query_one(&self.servers.end_query(self.known.id), &[]).await {
            Ok(row) => {
                // Without any row it has lost everything.
                let end = row.try_get::<_, Option<i64>>(0).map_err(unanswered)?.map_or(0, unsigned);
                self.known.seen.lock().judge(expected, end)
            }
            Err(error) => Err(self.fault(&session.client, error).await),
        }
    }

    async fn put_snapshot(&self, position: Position, database: &Path) -> Result<(), LogError> {
        self.snapshots().await?.put(position, database).await
    }

    async fn newest_snapshot(&self, into: &Path) -> Result<Option<Position>, LogError> {
        self.snapshots().await?.newest(into).await
    }

    async fn trim(&self, up_to: Position) -> Result<(), LogError> {
        // Many entries take their time, for which appends must not wait.
        let client = self.servers.connect(&Heard::Nothing).await.map_err(unanswered)?;
        match client.execute(&self.servers.trim_statement(self.known.id), &[&number(up_to)]).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.fault(&client, error).await),
        }
    }

    async fn tell(&self, message: Bytes) {
        let told = async {
            let session = self.session(&self.reading).await?;
            // In one message, so that the end of a turn never overtakes its beginning. Our own mark has no quotes in it.
            let notify = format!("NOTIFY {}, '{}'", self.channel, String::from_utf8_lossy(&message));
            session.client.batch_execute(&notify).await.map_err(unanswered)
        };
        if let Err(error) = told.await {
            tracing::debug!(%error, "the other servers are not told of a turn");
        }
    }

    /// An append waits as long as the server waits for its standby: giving up a connection sooner would leave a process of the server
    /// behind each time.
    async fn miss(&self) {
        let mut heard = self.known.heard.lock();
        if heard.elapsed() >= UNHEARD {
            tracing::warn!("the cluster's database gives no answer; connecting to it again");
            *heard = Instant::now();
            self.writing.give_up();
            self.reading.give_up();
        }
    }
}

impl Connection {
    /// The connection of one kind, which is made again when it was lost.
    async fn session(&self, link: &Link) -> Result<Arc<Session>, LogError> {
        link.session(&self.servers).await.map_err(unanswered)
    }

    /// The error of a question. A table that is gone may be that of a log in the place of which there is another one.
    async fn fault(&self, client: &Client, error: tokio_postgres::Error) -> LogError {
        if error.code() == Some(&SqlState::UNDEFINED_TABLE) {
            match self.servers.find(client).await {
                Ok(id) if id != self.known.id => {
                    return LogError::Replaced { reason: "another one was made under its name" };
                }
                _ => {}
            }
        }
        unanswered(error)
    }
}

/// A position as PostgreSQL has it. None comes near the limit.
fn number(position: Position) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> Position {
    Position::try_from(number).unwrap_or_default()
}
