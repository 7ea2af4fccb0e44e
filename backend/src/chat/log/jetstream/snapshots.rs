//! Copies of the database in the servers' object store.
//!
//! Two names take turns, so that the older copy is there until the newer one is whole. The store checks the digest of what it gives.

use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

use async_nats::jetstream::object_store::{
    GetErrorKind, InfoErrorKind, ObjectInfo, ObjectMetadata, ObjectStore, PutErrorKind,
};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::super::cluster::{ClientError, Kept, hex};
use super::super::remote::ANSWER_TIMEOUT;
use super::super::{LogError, LogId, Position, unanswered};
use super::Connection;
use super::connect::LOG_ID;

/// The names of the copies.
const NAMES: [&str; 2] = ["database-a", "database-b"];

/// The key of a copy's position in its metadata.
const POSITION: &str = "position";

/// Bytes that are written to the file at once.
const BUFFER: usize = 256 * 1024;

/// The bucket of one log.
pub(super) struct Snapshots {
    pub(super) bucket: ObjectStore,
    pub(super) id: LogId,
}

fn unusable(error: impl Into<ClientError>) -> LogError {
    LogError::Snapshot(error.into())
}

impl Connection {
    pub(super) async fn snapshots(&self) -> Result<Snapshots, LogError> {
        self.check_connected()?;
        let bucket = self.context.get_object_store(&self.bucket).await.map_err(unanswered)?;
        Ok(Snapshots { bucket, id: self.known.id })
    }
}

impl Snapshots {
    /// Stores the file unless there is a copy that is as new.
    pub(super) async fn put(&self, position: Position, database: &Path) -> Result<(), LogError> {
        let kept = self.positions().await?;
        if kept.iter().flatten().any(|kept| *kept >= position) {
            return Ok(());
        }
        let name = if kept[0] <= kept[1] { NAMES[0] } else { NAMES[1] };
        let metadata =
            HashMap::from([(LOG_ID.to_owned(), hex(self.id)), (POSITION.to_owned(), position.to_string())]);
        let object = ObjectMetadata { name: name.to_owned(), metadata, ..ObjectMetadata::default() };
        let mut file = File::open(database).await.map_err(unusable)?;
        self.bucket.put(object, &mut file).await.map(drop).map_err(|error| match error.kind() {
            PutErrorKind::ReadChunks => unusable(error),
            _ => unanswered(error),
        })
    }

    /// Writes the newest copy to the file.
    pub(super) async fn newest(&self, into: &Path) -> Result<Option<Position>, LogError> {
        let kept = self.positions().await?;
        let name = match kept {
            [None, None] => return Ok(None),
            [a, b] if a > b => NAMES[0],
            _ => NAMES[1],
        };
        let mut object = self.bucket.get(name).await.map_err(|error| match error.kind() {
            GetErrorKind::NotFound => unusable(error),
            _ => unanswered(error),
        })?;
        // A newer one may have taken the name meanwhile.
        let position = self.position(&object.info).ok_or_else(|| unusable("it is of another log"))?;
        let mut file = File::create(into).await.map_err(unusable)?;
        let mut buffer = vec![0; BUFFER];
        let mut written = 0;
        while written < object.info.size {
            let read = timeout(ANSWER_TIMEOUT, object.read(&mut buffer)).await.map_err(unanswered)?;
            let read = read.map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidData => unusable(error),
                _ => unanswered(error),
            })?;
            if read == 0 {
                return Err(unusable("it ends too early"));
            }
            file.write_all(&buffer[..read]).await.map_err(unusable)?;
            written += read;
        }
        file.flush().await.map_err(unusable)?;
        Ok(Some(position))
    }

    /// The copies of this log, the newest first.
    pub(super) async fn kept(&self) -> Result<Vec<Kept>, LogError> {
        let mut kept = Vec::new();
        for name in NAMES {
            let Some(info) = self.info(name).await? else { continue };
            let Some(position) = self.position(&info) else { continue };
            let made = info.modified.map(SystemTime::from);
            kept.push(Kept { position, bytes: info.size as u64, made });
        }
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.position));
        Ok(kept)
    }

    /// The position of the copy under each name; those of other logs do not count.
    async fn positions(&self) -> Result<[Option<Position>; 2], LogError> {
        let mut positions = [None; 2];
        for (name, position) in NAMES.into_iter().zip(&mut positions) {
            *position = self.info(name).await?.and_then(|info| self.position(&info));
        }
        Ok(positions)
    }

    async fn info(&self, name: &str) -> Result<Option<ObjectInfo>, LogError> {
        match self.bucket.info(name).await {
            Ok(info) => Ok((!info.deleted).then_some(info)),
            Err(error) if error.kind() == InfoErrorKind::NotFound => Ok(None),
            Err(error) => Err(unanswered(error)),
        }
    }

    fn position(&self, info: &ObjectInfo) -> Option<Position> {
        let is_ours = info.metadata.get(LOG_ID) == Some(&hex(self.id));
        info.metadata.get(POSITION)?.parse().ok().filter(|_| is_ours)
    }
}
