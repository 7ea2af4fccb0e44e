//! Copies of the database, in chunks. The newest two are kept; one is there as a whole or not at all, because it is one transaction.

use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::super::cluster::{ClientError, Kept};
use super::super::{LogError, LogId, Position, unanswered};
use super::connect::{Heard, Servers};
use super::{Connection, number, unsigned};

/// Bytes of a chunk.
const CHUNK: usize = 1024 * 1024;

/// Copies that are kept.
const KEPT: i64 = 2;

fn unusable(error: impl Into<ClientError>) -> LogError {
    LogError::Snapshot(error.into())
}

/// The copies of one log, by a connection of their own.
pub(super) struct Snapshots {
    client: Client,
    copies: String,
    chunks: String,
}

impl Connection {
    pub(super) async fn snapshots(&self) -> Result<Snapshots, LogError> {
        let client = self.servers.connect(&Heard::Nothing).await.map_err(unanswered)?;
        Ok(Snapshots::new(client, &self.servers, self.known.id))
    }
}

impl Snapshots {
    pub(super) fn new(client: Client, servers: &Servers, id: LogId) -> Self {
        Self { client, copies: servers.table("copies", id), chunks: servers.table("chunks", id) }
    }

    /// Stores the file unless there is a copy that is as new.
    pub(super) async fn put(&mut self, position: Position, database: &Path) -> Result<(), LogError> {
        let mut file = File::open(database).await.map_err(unusable)?;
        let Self { client, copies, chunks } = self;
        let transaction = client.transaction().await.map_err(unanswered)?;
        let newer = format!("SELECT FROM {copies} WHERE position >= $1 LIMIT 1");
        if transaction.query_opt(&newer, &[&number(position)]).await.map_err(unanswered)?.is_some() {
            return Ok(());
        }
        store(&transaction, copies, chunks, position, &mut file).await?;
        let older = format!(
            "DELETE FROM {copies} WHERE position NOT IN (SELECT position FROM {copies} ORDER BY position DESC LIMIT $1)"
        );
        transaction.execute(&older, &[&KEPT]).await.map_err(unanswered)?;
        transaction.commit().await.map_err(unanswered)
    }

    /// Writes the newest copy to the file.
    pub(super) async fn newest(&mut self, into: &Path) -> Result<Option<Position>, LogError> {
        let Self { client, copies, chunks } = self;
        // One view of the tables, so that a newer copy does not take this one away meanwhile.
        let transaction =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let transaction = transaction.start().await.map_err(unanswered)?;
        let newest = format!("SELECT position, chunks, sha256 FROM {copies} ORDER BY position DESC LIMIT 1");
        let Some(row) = transaction.query_opt(&newest, &[]).await.map_err(unanswered)? else {
            return Ok(None);
        };
        let position: i64 = row.try_get(0).map_err(unusable)?;
        let count: i32 = row.try_get(1).map_err(unusable)?;
        let mut file = File::create(into).await.map_err(unusable)?;
        let mut digest = Sha256::new();
        let chunk = format!("SELECT bytes FROM {chunks} WHERE position = $1 AND chunk = $2");
        let chunk = transaction.prepare(&chunk).await.map_err(unanswered)?;
        for index in 0..count {
            let row = transaction.query_opt(&chunk, &[&position, &index]).await.map_err(unanswered)?;
            let row = row.ok_or_else(|| unusable("a part of it is missing"))?;
            let bytes: &[u8] = row.try_get(0).map_err(unusable)?;
            digest.update(bytes);
            file.write_all(bytes).await.map_err(unusable)?;
        }
        file.flush().await.map_err(unusable)?;
        if row.try_get::<_, &[u8]>(2).map_err(unusable)? != digest.finalize().as_slice() {
            return Err(unusable("its digest is another one"));
        }
        Ok(Some(unsigned(position)))
    }

    /// The copies of this log, the newest first.
    pub(super) async fn kept(&self) -> Result<Vec<Kept>, tokio_postgres::Error> {
        let copies = format!(
            "SELECT position, size, extract(epoch FROM made)::int8 FROM {} ORDER BY position DESC",
            self.copies
        );
        let rows = self.client.query(&copies, &[]).await?;
        let kept = rows.iter().map(|row| {
            let made = Duration::from_secs(unsigned(row.try_get(2)?));
            Ok(Kept {
                position: unsigned(row.try_get(0)?),
                bytes: unsigned(row.try_get(1)?),
                made: SystemTime::UNIX_EPOCH.checked_add(made),
            })
        });
        kept.collect()
    }
}

/// Stores the file as the copy at this position.
pub(super) async fn store(
    transaction: &Transaction<'_>,
    copies: &str,
    chunks: &str,
    position: Position,
    file: &mut File,
) -> Result<(), LogError> {
    let mut digest = Sha256::new();
    let copy = format!("INSERT INTO {copies} (position, size, chunks, sha256) VALUES ($1, 0, 0, '')");
    transaction.execute(&copy, &[&number(position)]).await.map_err(unanswered)?;
    let chunk = format!("INSERT INTO {chunks} VALUES ($1, $2, $3)");
    let chunk = transaction.prepare(&chunk).await.map_err(unanswered)?;
    let (mut count, mut size) = (0_i32, 0_i64);
    loop {
        let mut bytes = Vec::with_capacity(CHUNK);
        let read = (&mut *file).take(CHUNK as u64).read_to_end(&mut bytes).await.map_err(unusable)?;
        if read == 0 {
            break;
        }
        digest.update(&bytes);
        transaction.execute(&chunk, &[&number(position), &count, &bytes]).await.map_err(unanswered)?;
        count += 1;
        size += number(read as u64);
    }
    let copy = format!("UPDATE {copies} SET size = $2, chunks = $3, sha256 = $4 WHERE position = $1");
    let digest = digest.finalize();
    let whole = transaction.execute(&copy, &[&number(position), &size, &count, &digest.as_slice()]).await;
    whole.map(drop).map_err(unanswered)
}
