//! The servers of PostgreSQL: how they are reached, the names of the cluster's tables there, and the questions about them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;
use tokio_postgres::config::{LoadBalanceHosts, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Notification, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::super::LogId;
use super::super::cluster::{ClientError, ClusterError, hex};
use super::super::turns::Turns;

/// Longest time for a connection to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(700);

/// Longest time for a connection with all that is said at its beginning, all addresses together.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Time without an answer of the other machine's network after which a connection is lost.
const LOST: Duration = Duration::from_secs(5);

/// The servers of a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Servers {
    /// Their addresses, such as `postgres://chat:secret@10.0.0.1/chat`. All but host and port is taken from the first one.
    pub addresses: Vec<String>,
    /// The cluster's name: letters, digits, hyphens and underscores.
    pub name: String,
    /// A PEM file with the authority of the servers' certificates. The connection uses TLS only with it.
    pub authority: Option<PathBuf>,
}

impl fmt::Debug for Servers {
    /// Without the addresses, which may have passwords in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The listener to what a connection says unasked.
#[derive(Clone)]
pub(super) enum Heard {
    Nothing,
    /// It listens to the bell, and to the servers that want their turn.
    Bell {
        channel: String,
        bell: Arc<watch::Sender<()>>,
        turns: Arc<Turns>,
    },
}

/// A connection that is open, with the statement that it is for.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) statement: Statement,
    /// Held while the statement has no answer yet, by those that are to be one after the other.
    pub(super) in_flight: Arc<Mutex<()>>,
}

/// A connection that is made again when it was lost.
pub(super) struct Link {
    current: Mutex<Option<Arc<Session>>>,
    heard: Heard,
    statement: String,
}

/// An error that the servers' own kinds do not name.
pub(super) fn failed(error: impl Into<ClientError>) -> ClusterError {
    ClusterError::Database(error.into())
}

impl Link {
    pub(super) fn new(heard: Heard, statement: String) -> Self {
        Self { current: Mutex::default(), heard, statement }
    }

    pub(super) async fn session(&self, servers: &Servers) -> Result<Arc<Session>, ClusterError> {
        let mut current = self.current.lock().await;
        if let Some(session) = current.as_ref().filter(|session| !session.client.is_closed()) {
            return Ok(session.clone());
        }
        let client = servers.connect(&self.heard).await?;
        let statement = client.prepare(&self.statement).await.map_err(failed)?;
        let session = Arc::new(Session { client, statement, in_flight: Arc::default() });
        *current = Some(session.clone());
        if let Heard::Bell { .. } = self.heard {
            tracing::info!("connected to the cluster's database");
            servers.warn_of_standbys(&session.client).await;
            // There may have been entries while nobody heard the bell.
            self.heard.ring();
        }
        Ok(session)
    }

    /// Leaves the connection, unless it is being made now.
    pub(super) fn give_up(&self) {
        if let Ok(mut current) = self.current.try_lock() {
            *current = None;
        }
    }
}

impl Heard {
    fn ring(&self) {
        if let Self::Bell { bell, .. } = self {
            bell.send_replace(());
        }
    }

    /// Followers find out by themselves that the connection has ended. It is logged for one of the two connections.
    fn end(&self) {
        if let Self::Bell { .. } = self {
            tracing::warn!("the connection to the cluster's database was lost, or given up");
            self.ring();
        }
    }

    fn hear(&self, notification: &Notification) {
        match self {
            Self::Bell { turns, .. } if !notification.payload().is_empty() => {
                turns.hear(&Bytes::copy_from_slice(notification.payload().as_bytes()));
            }
            Self::Bell { .. } => self.ring(),
            Self::Nothing => {}
        }
    }
}

impl Servers {
    /// The schema of the cluster. The name has no quotes in it.
    pub(super) fn schema(&self) -> String {
        format!("\"chinwag-{}\"", self.name)
    }

    /// A table of one log.
    pub(super) fn table(&self, name: &str, id: LogId) -> String {
        format!("{}.{name}_{}", self.schema(), hex(id))
    }

    /// The channel of the bell.
    pub(super) fn channel(&self, id: LogId) -> String {
        format!("chinwag_{}", hex(id))
    }

    /// The server has the condition, and the table the conflict. A second one at the same position waits for the first one's end. The
    /// bell rings with the commit, and only of an entry that was stored.
    pub(super) fn append_statement(&self, id: LogId) -> String {
        let entries = self.table("entries", id);
        format!(
            "WITH stored AS (INSERT INTO {entries} SELECT $1::int8 + 1, $2::bytea \
             WHERE EXISTS (SELECT FROM {entries} WHERE position = $1) ON CONFLICT DO NOTHING RETURNING position) \
             SELECT pg_notify('{}', '') FROM stored",
            self.channel(id)
        )
    }

    /// The rows from a position on. That one's own content is known.
    pub(super) fn read_statement(&self, id: LogId) -> String {
        let entries = self.table("entries", id);
        format!(
            "SELECT position, CASE WHEN position > $1 THEN entry END FROM {entries} \
             WHERE position >= $1 ORDER BY position LIMIT $2"
        )
    }

    pub(super) fn end_query(&self, id: LogId) -> String {
        format!("SELECT max(position) FROM {}", self.table("entries", id))
    }

    /// The last row that is trimmed stays without its content, and says where the log begins.
    pub(super) fn trim_statement(&self, id: LogId) -> String {
        let entries = self.table("entries", id);
        format!(
            "WITH last AS (SELECT least($1::int8, max(position)) AS trimmed FROM {entries}), \
             emptied AS (UPDATE {entries} SET entry = NULL FROM last WHERE position = trimmed) \
             DELETE FROM {entries} USING last WHERE position < trimmed"
        )
    }

    /// Connects to the server that takes entries.
    pub(super) async fn connect(&self, heard: &Heard) -> Result<Client, ClusterError> {
        let connecting = timeout(SESSION_TIMEOUT, self.try_connect(heard)).await;
        connecting.map_err(|elapsed| ClusterError::Unreachable(elapsed.into()))?
    }

    async fn try_connect(&self, heard: &Heard) -> Result<Client, ClusterError> {
        let mut config = self.config().map_err(unreachable)?;
        let client = match &self.authority {
            None => {
                let (client, connection) =
                    config.ssl_mode(SslMode::Disable).connect(NoTls).await.map_err(unreachable)?;
                drive(connection, heard.clone());
                client
            }
            Some(authority) => {
                let tls = tls(authority)?;
                let (client, connection) =
                    config.ssl_mode(SslMode::Require).connect(tls).await.map_err(unreachable)?;
                drive(connection, heard.clone());
                client
            }
        };
        if let Heard::Bell { channel, .. } = heard {
            client.batch_execute(&format!("LISTEN {channel}")).await.map_err(failed)?;
        }
        Ok(client)
    }

    /// The first address, with the hosts of all of them.
    fn config(&self) -> Result<Config, tokio_postgres::Error> {
        let mut addresses = self.addresses.iter().map(|address| address.parse::<Config>());
        let mut config = addresses.next().unwrap_or_else(|| Ok(Config::new()))?;
        if config.get_ports().is_empty() {
            config.port(5432);
        }
        for other in addresses {
            let other = other?;
            for host in other.get_hosts() {
                if let tokio_postgres::config::Host::Tcp(host) = host {
                    config.host(host).port(other.get_ports().first().copied().unwrap_or(5432));
                }
            }
        }
        config
            .application_name("chinwag")
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(LOST)
            .keepalives_interval(Duration::from_secs(1))
            .tcp_user_timeout(LOST)
            // A server that takes no entries, and one that does not answer, are passed by.
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .load_balance_hosts(LoadBalanceHosts::Random)
            // An acknowledged entry is durable, also on a server with another default.
            .options("-c synchronous_commit=on");
        Ok(config)
    }

    /// Refuses a server that does not write what it acknowledges.
    pub(super) async fn check_synced(&self, client: &Client) -> Result<(), ClusterError> {
        let row = client.query_one("SELECT current_setting('fsync')", &[]).await.map_err(failed)?;
        match row.try_get(0).map_err(failed)? {
            "on" => Ok(()),
            _ => Err(ClusterError::Unsynced),
        }
    }

    /// Logs standbys of which none is synchronous: a failover to one loses what was acknowledged last. A server alone has nothing to fail
    /// over to.
    async fn warn_of_standbys(&self, client: &Client) {
        // Others than its administrators see how many there are, and no more.
        const QUESTION: &str = "SELECT current_setting('synchronous_standby_names') = '' \
                                AND EXISTS (SELECT FROM pg_stat_replication)";
        match client.query_one(QUESTION, &[]).await.and_then(|row| row.try_get::<_, bool>(0)) {
            Ok(true) => tracing::warn!(
                "no standby of the cluster's database is synchronous: a failover to one loses the entries that were acknowledged last; \
                 name them in synchronous_standby_names"
            ),
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "cannot ask the cluster's database for its standbys"),
        }
    }

    /// The log's id.
    pub(super) async fn find(&self, client: &Client) -> Result<LogId, ClusterError> {
        let missing = || ClusterError::Missing { name: self.name.clone() };
        match client.query_opt(&format!("SELECT id FROM {}.log", self.schema()), &[]).await {
            Ok(Some(row)) => {
                let id = row.try_get::<_, &[u8]>(0).map_err(failed)?;
                Ok(LogId(id.try_into().map_err(failed)?))
            }
            Ok(None) => Err(missing()),
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
                let schema = self.schema();
                let name = schema.trim_matches('"');
                let exists = client.query_opt("SELECT FROM pg_namespace WHERE nspname = $1", &[&name]).await;
                match exists.map_err(failed)? {
                    Some(_) => Err(ClusterError::Foreign { stream: schema }),
                    None => Err(missing()),
                }
            }
            Err(error) => Err(failed(error)),
        }
    }
}

fn unreachable(error: tokio_postgres::Error) -> ClusterError {
    ClusterError::Unreachable(error.into())
}

/// Our own stack of TLS, with one authority.
fn tls(authority: &Path) -> Result<MakeRustlsConnect, ClusterError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).map_err(failed)? {
        roots.add(certificate.map_err(failed)?).map_err(failed)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Lets a connection work until it ends, or its client is dropped.
fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, heard: Heard)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        while let Some(message) = messages.next().await {
            match message {
                Ok(AsyncMessage::Notification(notification)) => heard.hear(&notification),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "a connection to the cluster's database has ended");
                    break;
                }
            }
        }
        heard.end();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(addresses: &[&str]) -> Servers {
        let addresses = addresses.iter().map(ToString::to_string).collect();
        Servers { addresses, name: "team".to_owned(), authority: None }
    }

    #[test]
    fn hosts_of_all_addresses_are_tried() {
        let config = servers(&["postgres://me:secret@a/chat", "postgres://b:5433"]).config().unwrap();
        assert_eq!(config.get_hosts().len(), 2);
        assert_eq!(config.get_ports(), [5432, 5433]);
        assert_eq!(config.get_dbname(), Some("chat"));
    }

    #[test]
    fn addresses_with_their_passwords_are_not_printed() {
        assert!(!format!("{:?}", servers(&["postgres://me:secret@host"])).contains("secret"));
    }
}
