//! The servers of a cluster, of whichever kind: the one place that knows all kinds of logs.

use std::path::Path;
use std::sync::Arc;

use super::cluster::{ClusterError, Status};
#[cfg(feature = "postgres")]
use super::postgres;
use super::{Log, LogId, Position, jetstream};

/// The servers that have the log of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Servers of NATS with JetStream.
    Nats(jetstream::Servers),
    /// Servers of PostgreSQL, one of which takes the entries.
    #[cfg(feature = "postgres")]
    Postgres(postgres::Servers),
}

impl Servers {
    /// The cluster's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Nats(servers) => &servers.name,
            #[cfg(feature = "postgres")]
            Self::Postgres(servers) => &servers.name,
        }
    }

    /// Opens the log. Needs a runtime, which has to live as long as the log is used.
    pub async fn open(&self) -> Result<Arc<dyn Log>, ClusterError> {
        Ok(match self {
            Self::Nats(servers) => Arc::new(jetstream::JetStream::open(servers).await?),
            #[cfg(feature = "postgres")]
            Self::Postgres(servers) => Arc::new(postgres::Postgres::open(servers).await?),
        })
    }

    /// Makes the log `id`. `database` is the copy that its servers begin with, at [`super::cluster::FIRST_COPY`]; without one they
    /// begin a new chat. `replicas` are for servers of NATS; those of PostgreSQL are told in their own configuration.
    pub async fn init(
        &self,
        replicas: usize,
        id: LogId,
        database: Option<&Path>,
    ) -> Result<(), ClusterError> {
        match self {
            Self::Nats(servers) => jetstream::init(servers, replicas, id, database).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(servers) => postgres::init(servers, id, database).await,
        }
    }

    /// Makes the log `id` in the place of the one that there is, if any, as [`Self::init`] does.
    pub async fn replace(&self, replicas: usize, id: LogId, database: &Path) -> Result<(), ClusterError> {
        match self {
            Self::Nats(servers) => jetstream::replace(servers, replicas, id, database).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(servers) => postgres::replace(servers, id, database).await,
        }
    }

    /// The state of the cluster.
    pub async fn status(&self) -> Result<Status, ClusterError> {
        match self {
            Self::Nats(servers) => jetstream::status(servers).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(servers) => postgres::status(servers).await,
        }
    }

    /// Writes the newest copy of the database to `file`, and says its position.
    pub async fn save_newest(&self, file: &Path) -> Result<Option<Position>, ClusterError> {
        match self {
            Self::Nats(servers) => jetstream::save_newest(servers, file).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(servers) => postgres::save_newest(servers, file).await,
        }
    }
}
