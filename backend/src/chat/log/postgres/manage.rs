//! Making a cluster, and looking at it. Each change is one transaction.

use std::path::Path;

use tokio::fs::File;
use tokio::time::timeout;
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::super::cluster::{ClusterError, FIRST_COPY, Replica, Status};
use super::super::remote::SNAPSHOT_TIMEOUT;
use super::super::{LogId, Position};
use super::connect::{Heard, Servers, failed};
use super::snapshots::{Snapshots, store};
use super::{number, unsigned};

/// Makes the log `id`. `database` is the copy that its servers begin with, at [`FIRST_COPY`]; without one they begin a new chat.
pub async fn init(servers: &Servers, id: LogId, database: Option<&Path>) -> Result<(), ClusterError> {
    let mut client = servers.connect(&Heard::Nothing).await?;
    match servers.find(&client).await {
        Err(ClusterError::Missing { .. }) => {}
        Ok(_) => return Err(ClusterError::Exists { name: servers.name.clone() }),
        Err(other) => return Err(other),
    }
    let transaction = client.transaction().await.map_err(failed)?;
    match create_schema(&transaction, servers).await {
        Err(error) if error.code() == Some(&SqlState::DUPLICATE_SCHEMA) => {
            return Err(ClusterError::Exists { name: servers.name.clone() });
        }
        made => made.map_err(failed)?,
    }
    create(&transaction, servers, id, database).await?;
    transaction.commit().await.map_err(failed)
}

/// Makes the log `id` in the place of the one that there is, if any: that one is gone then, and its servers stop following. `database`
/// is the copy that the new one begins with, at [`FIRST_COPY`].
pub async fn replace(servers: &Servers, id: LogId, database: &Path) -> Result<(), ClusterError> {
    let mut client = servers.connect(&Heard::Nothing).await?;
    let old = match servers.find(&client).await {
        Ok(old) => Some(old),
        Err(ClusterError::Missing { .. }) => None,
        Err(other) => return Err(other),
    };
    let transaction = client.transaction().await.map_err(failed)?;
    match old {
        None => create_schema(&transaction, servers).await.map_err(failed)?,
        Some(old) => {
            let tables = ["chunks", "copies", "entries"].map(|name| servers.table(name, old)).join(", ");
            let remove = format!("DELETE FROM {}.log; DROP TABLE {tables}", servers.schema());
            transaction.batch_execute(&remove).await.map_err(failed)?;
        }
    }
    create(&transaction, servers, id, Some(database)).await?;
    transaction.commit().await.map_err(failed)
}

async fn create_schema(
    transaction: &Transaction<'_>,
    servers: &Servers,
) -> Result<(), tokio_postgres::Error> {
    let schema = servers.schema();
    let create = format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.log (id bytea NOT NULL)");
    transaction.batch_execute(&create).await
}

/// Makes the tables of a log.
async fn create(
    transaction: &Transaction<'_>,
    servers: &Servers,
    id: LogId,
    database: Option<&Path>,
) -> Result<(), ClusterError> {
    let [entries, copies, chunks] = ["entries", "copies", "chunks"].map(|name| servers.table(name, id));
    // Compression would cost more time than it saves in space: entries and copies are read as often as they are written.
    let create = format!(
        "CREATE TABLE {entries} (position int8 PRIMARY KEY, entry bytea);
         ALTER TABLE {entries} ALTER entry SET STORAGE EXTERNAL;
         CREATE TABLE {copies} (position int8 PRIMARY KEY, size int8 NOT NULL, chunks int4 NOT NULL,
             sha256 bytea NOT NULL, made timestamptz NOT NULL DEFAULT now());
         CREATE TABLE {chunks} (position int8 REFERENCES {copies} ON DELETE CASCADE, chunk int4,
             bytes bytea NOT NULL, PRIMARY KEY (position, chunk));
         ALTER TABLE {chunks} ALTER bytes SET STORAGE EXTERNAL;"
    );
    transaction.batch_execute(&create).await.map_err(failed)?;
    let log = format!("INSERT INTO {}.log VALUES ($1)", servers.schema());
    transaction.execute(&log, &[&id.0.as_slice()]).await.map_err(failed)?;
    let trimmed: Position = if database.is_some() { FIRST_COPY } else { 0 };
    let first = format!("INSERT INTO {entries} VALUES ($1, NULL)");
    transaction.execute(&first, &[&number(trimmed)]).await.map_err(failed)?;
    if let Some(database) = database {
        let mut file = File::open(database).await.map_err(failed)?;
        store(transaction, &copies, &chunks, FIRST_COPY, &mut file).await.map_err(failed)?;
    }
    Ok(())
}

/// The state of the cluster.
pub async fn status(servers: &Servers) -> Result<Status, ClusterError> {
    let client = servers.connect(&Heard::Nothing).await?;
    let id = servers.find(&client).await?;
    let bounds = format!("SELECT min(position), max(position) FROM {}", servers.table("entries", id));
    let bounds = client.query_one(&bounds, &[]).await.map_err(failed)?;
    let bound = |column| bounds.try_get::<_, Option<i64>>(column).ok().flatten().map_or(0, unsigned);
    let (trimmed, end) = (bound(0), bound(1));
    let size = format!("SELECT pg_total_relation_size('{}')", servers.table("entries", id));
    let size = client.query_one(&size, &[]).await.map_err(failed)?;
    let standbys = "SELECT application_name, sync_state IN ('sync', 'quorum') FROM pg_stat_replication";
    let standbys = client.query(standbys, &[]).await.map_err(failed)?;
    let replicas = standbys.iter().map(|row| {
        let is_current = row.try_get::<_, Option<bool>>(1)?.unwrap_or(false);
        Ok(Replica { name: row.try_get::<_, Option<String>>(0)?.unwrap_or_default(), is_current })
    });
    let replicas = replicas.collect::<Result<_, tokio_postgres::Error>>().map_err(failed)?;
    Ok(Status {
        id,
        end,
        first: trimmed + 1,
        bytes: unsigned(size.try_get(0).map_err(failed)?),
        leader: Some("the server of PostgreSQL".to_owned()),
        replicas,
        copies: Snapshots::new(client, servers, id).kept().await.map_err(failed)?,
    })
}

/// Writes the newest copy of the database to `file`, and says its position.
pub async fn save_newest(servers: &Servers, file: &Path) -> Result<Option<Position>, ClusterError> {
    let client = servers.connect(&Heard::Nothing).await?;
    let id = servers.find(&client).await?;
    let mut snapshots = Snapshots::new(client, servers, id);
    timeout(SNAPSHOT_TIMEOUT, snapshots.newest(file)).await.map_err(failed)?.map_err(failed)
}
