//! Making a cluster, and looking at it.

use std::collections::HashMap;
use std::path::Path;

use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::object_store::{Config as BucketConfig, ObjectStore};
use async_nats::jetstream::stream::{Config as StreamConfig, DiscardPolicy, StorageType};
use async_nats::jetstream::{Context, ErrorCode};
use tokio::time::timeout;

use super::super::cluster::{ClusterError, FIRST_COPY, Replica, Status, hex};
use super::super::remote::SNAPSHOT_TIMEOUT;
use super::super::{LogId, Position};
use super::connect::{LOG_ID, Servers, failed};
use super::snapshots::Snapshots;

/// Makes the log `id` on this many servers. `database` is the copy that its servers begin with, at [`FIRST_COPY`]; without one
/// they begin a new chat.
pub async fn init(
    servers: &Servers,
    replicas: usize,
    id: LogId,
    database: Option<&Path>,
) -> Result<(), ClusterError> {
    let context = servers.connect().await?;
    match servers.find(&context).await {
        Err(ClusterError::Missing { .. }) => {}
        Ok(_) => return Err(ClusterError::Exists { name: servers.name.clone() }),
        Err(other) => return Err(other),
    }
    let bucket = bucket(&context, servers, replicas).await?;
    if let Some(database) = database {
        // Before the stream: without that, there is no cluster.
        put_first(bucket, id, database).await?;
    }
    create(&context, servers, replicas, id, database.is_some()).await
}

/// Makes the log `id` in the place of the one that there is, if any: that one is gone then, and its servers stop following. `database`
/// is the copy that the new one begins with, at [`FIRST_COPY`].
pub async fn replace(
    servers: &Servers,
    replicas: usize,
    id: LogId,
    database: &Path,
) -> Result<(), ClusterError> {
    let context = servers.connect().await?;
    let exists = match servers.find(&context).await {
        Ok(_) => true,
        Err(ClusterError::Missing { .. }) => false,
        Err(other) => return Err(other),
    };
    let bucket = bucket(&context, servers, replicas).await?;
    // Before the old log is gone.
    put_first(bucket, id, database).await?;
    if exists {
        context.delete_stream(servers.stream()).await.map_err(failed)?;
    }
    create(&context, servers, replicas, id, true).await
}

async fn put_first(bucket: ObjectStore, id: LogId, database: &Path) -> Result<(), ClusterError> {
    let snapshots = Snapshots { bucket, id };
    Ok(timeout(SNAPSHOT_TIMEOUT, snapshots.put(FIRST_COPY, database)).await.map_err(failed)??)
}

/// Makes the stream.
async fn create(
    context: &Context,
    servers: &Servers,
    replicas: usize,
    id: LogId,
    has_copy: bool,
) -> Result<(), ClusterError> {
    let config = StreamConfig {
        name: servers.stream(),
        description: Some("the log of a chat on several servers; it is not to be changed by hand".to_owned()),
        subjects: vec![servers.subject(id)],
        storage: StorageType::File,
        num_replicas: replicas,
        // A full stream refuses entries. By default it would drop the oldest.
        discard: DiscardPolicy::New,
        deny_delete: true,
        first_sequence: has_copy.then_some(FIRST_COPY + 1),
        metadata: HashMap::from([(LOG_ID.to_owned(), hex(id))]),
        ..StreamConfig::default()
    };
    match context.create_stream(config).await {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            CreateStreamErrorKind::JetStream(refusal)
                if refusal.error_code() == ErrorCode::STREAM_NAME_EXIST =>
            {
                ClusterError::Exists { name: servers.name.clone() }
            }
            _ => failed(error),
        }),
    }
}

/// The bucket of the copies, which may be there from an earlier cluster of this name.
async fn bucket(context: &Context, servers: &Servers, replicas: usize) -> Result<ObjectStore, ClusterError> {
    if let Ok(bucket) = context.get_object_store(servers.bucket()).await {
        return Ok(bucket);
    }
    let config = BucketConfig {
        bucket: servers.bucket(),
        description: Some("copies of a chat's database".to_owned()),
        num_replicas: replicas,
        storage: StorageType::File,
        ..BucketConfig::default()
    };
    context.create_object_store(config).await.map_err(failed)?;
    // Otherwise any of its servers would answer, also one that does not have the newest copy yet, or none.
    let stream = context.get_stream(format!("OBJ_{}", servers.bucket())).await.map_err(failed)?;
    let config = StreamConfig { allow_direct: false, ..stream.cached_info().config.clone() };
    context.update_stream(&config).await.map_err(failed)?;
    context.get_object_store(servers.bucket()).await.map_err(failed)
}

/// The state of the cluster.
pub async fn status(servers: &Servers) -> Result<Status, ClusterError> {
    let context = servers.connect().await?;
    let (id, info) = servers.find(&context).await?;
    let bucket = context.get_object_store(servers.bucket()).await.map_err(failed)?;
    let cluster = info.cluster.unwrap_or_default();
    let replicas = cluster.replicas.into_iter();
    let replicas =
        replicas.map(|peer| Replica { name: peer.name, is_current: peer.current && !peer.offline });
    Ok(Status {
        id,
        end: info.state.last_sequence,
        first: info.state.first_sequence,
        bytes: info.state.bytes,
        leader: cluster.leader,
        replicas: replicas.collect(),
        copies: Snapshots { bucket, id }.kept().await?,
    })
}

/// Writes the newest copy of the database to `file`, and says its position.
pub async fn save_newest(servers: &Servers, file: &Path) -> Result<Option<Position>, ClusterError> {
    let context = servers.connect().await?;
    let (id, _) = servers.find(&context).await?;
    let bucket = context.get_object_store(servers.bucket()).await.map_err(failed)?;
    let snapshots = Snapshots { bucket, id };
    Ok(timeout(SNAPSHOT_TIMEOUT, snapshots.newest(file)).await.map_err(failed)??)
}
