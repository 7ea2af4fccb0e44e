//! The words in which every kind of log is managed: the state of a cluster, and why it cannot be used.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use super::{LogError, LogId, Position};

/// An error of a log's client.
pub(super) type ClientError = Box<dyn Error + Send + Sync>;

/// The position of the database that a cluster begins with. The log's first entry comes behind it, so no server can begin without
/// that copy.
pub const FIRST_COPY: Position = 1;

/// The state of a cluster.
#[derive(Clone, Debug)]
pub struct Status {
    /// The log's id.
    pub id: LogId,
    /// The position of the last entry.
    pub end: Position,
    /// The first entry that is left.
    pub first: Position,
    /// Size of the entries that are left.
    pub bytes: u64,
    /// The server that takes the entries; `None` when there is none now.
    pub leader: Option<String>,
    /// The other servers that have the entries.
    pub replicas: Vec<Replica>,
    /// The copies of the database, the newest first.
    pub copies: Vec<Kept>,
}

/// A server that has the entries.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Its name.
    pub name: String,
    /// Whether it has all entries.
    pub is_current: bool,
}

/// A copy of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its position in the log.
    pub position: Position,
    /// Its size.
    pub bytes: u64,
    /// The time when it was made.
    pub made: Option<SystemTime>,
}

/// Why a cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The file cannot be used.
    #[error("the credentials in {} cannot be used", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No server accepts the connection.
    #[error("no server of the cluster can be reached")]
    Unreachable(#[source] ClientError),
    /// A server answered with an error, or not at all.
    #[error("JetStream did not do it: the servers have to have JetStream, and most of them to run")]
    Failed(#[source] ClientError),
    /// PostgreSQL answered with an error, or not at all.
    #[cfg(feature = "postgres")]
    #[error("PostgreSQL did not do it")]
    Database(#[source] ClientError),
    /// PostgreSQL does not write what it acknowledges.
    #[cfg(feature = "postgres")]
    #[error("this server of PostgreSQL has `fsync = off`, so that a crash loses everything: switch it on")]
    Unsynced,
    /// There is no such cluster.
    #[error("these servers have no cluster named {name}: `chinwag cluster init` makes it, once")]
    Missing {
        /// The cluster's name.
        name: String,
    },
    /// There is one already.
    #[error("these servers have a cluster named {name} already; nothing was changed")]
    Exists {
        /// The cluster's name.
        name: String,
    },
    /// Another program has made the stream.
    #[error("the stream {stream} was not made by `chinwag cluster init`")]
    Foreign {
        /// The stream.
        stream: String,
    },
    /// Entries would not fit.
    #[error("the servers take messages of {bytes} bytes; max_payload has to be 1MB, as it is by default")]
    Payload {
        /// Their limit.
        bytes: usize,
    },
}

impl From<LogError> for ClusterError {
    fn from(error: LogError) -> Self {
        Self::Failed(error.into())
    }
}

/// The id as 32 digits.
pub(crate) fn hex(LogId(id): LogId) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

pub(super) fn parse_hex(text: &str) -> Option<LogId> {
    let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32)?;
    Some(LogId(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_id_is_written_as_32_digits_and_read_back() {
        let id = LogId([0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 255]);
        assert_eq!(hex(id).len(), 32);
        assert_eq!(parse_hex(&hex(id)), Some(id));
        for other in ["", "7", "x0070102030405060708090a0b0c0dff"] {
            assert_eq!(parse_hex(other), None, "{other:?}");
        }
    }
}
