//! The cluster of this server: opens the log that it shares, and watches whether the servers of NATS sync every write to disk.
//!
//! They do not by default, and no other interface of theirs says so.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::header::HOST;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use crate::chat::ReconnectDelay;
use crate::chat::log::servers::Servers;
use crate::config::Config;
use crate::metrics::gauge;

/// The page of a monitoring address that has the configuration.
const PAGE: &str = "/jsz?config=1";

/// The port of a monitoring address that names none.
const MONITORING_PORT: u16 = 8222;

/// Interval between two questions.
const INTERVAL: Duration = Duration::from_secs(60);

/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest answer, bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// The two states that are not safe.
const LATER: &str = "a server of NATS does not sync every write to disk";
const UNKNOWN: &str = "it is not known whether the servers of NATS sync every write to disk";

/// The consequence, for the log, `/readyz`, and the metric's help.
const CONSEQUENCE: &str =
    "a power failure of several servers of NATS can lose what was acknowledged in the last two minutes";

/// The cluster that this server belongs to.
#[derive(Debug)]
pub(super) struct Cluster {
    monitoring: Vec<Uri>,
    durability: Durability,
}

/// Whether all servers of NATS are known to sync every write. Clones share their state.
#[derive(Clone, Debug, Default)]
pub(super) struct Durability(Arc<Mutex<Syncs>>);

impl Durability {
    /// A server of PostgreSQL that does not sync is refused when it is opened.
    fn of(servers: &Servers) -> Self {
        match servers {
            Servers::Nats(_) => Self::default(),
            #[cfg(feature = "postgres")]
            Servers::Postgres(_) => Self(Arc::new(Mutex::new(Syncs::EveryWrite))),
        }
    }

    /// The consequence of what is known, as a sentence for an operator without a full stop; `None` while all is well.
    pub(super) fn warning(&self) -> Option<String> {
        match *self.0.lock() {
            Syncs::EveryWrite => None,
            Syncs::Later => Some(format!("{LATER}: {CONSEQUENCE}")),
            Syncs::Unknown => Some(format!("{UNKNOWN}; if they do not, {CONSEQUENCE}")),
        }
    }
}

impl Collector for Durability {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let help = format!(
            "1 while all monitored servers of NATS sync every write to disk; otherwise {CONSEQUENCE}"
        );
        let value = u32::from(*self.0.lock() == Syncs::EveryWrite);
        gauge(&mut encoder, "chinwag_cluster_syncs_every_write", &help, value)
    }
}

/// The answer of the monitoring addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Syncs {
    EveryWrite,
    Later,
    #[default]
    Unknown,
}

impl Cluster {
    /// Connects to the servers of NATS and puts the log into the configuration. `None` where no cluster is configured.
    pub(super) async fn open(config: &mut Config) -> anyhow::Result<Option<Self>> {
        let Some(servers) = config.cluster.to_servers() else { return Ok(None) };
        let log = servers.open().await?;
        tracing::info!(
            cluster = servers.name(),
            "the chat's log is shared with the other servers of the cluster"
        );
        config.chat.log = Some(log);
        config.chat.reconnect_delay = ReconnectDelay::AMONG_SERVERS;
        let monitoring = config.cluster.monitoring.clone();
        Ok(Some(Self { monitoring, durability: Durability::of(&servers) }))
    }

    /// The metric.
    pub(super) fn durability(&self) -> Durability {
        self.durability.clone()
    }

    /// Asks the monitoring addresses now and then. Ends only with its task, or when there are none.
    pub(super) async fn watch(self) {
        if self.monitoring.is_empty() {
            if *self.durability.0.lock() == Syncs::EveryWrite {
                return;
            }
            report(Syncs::Unknown, "--cluster-monitoring names no address that says it");
            return;
        }
        let mut ticks = interval(INTERVAL);
        let mut last = None;
        loop {
            ticks.tick().await;
            let (syncs, reason) = self.ask().await;
            *self.durability.0.lock() = syncs;
            if last.replace(syncs) != Some(syncs) {
                report(syncs, &reason);
            }
        }
    }

    async fn ask(&self) -> (Syncs, String) {
        let mut found = (Syncs::EveryWrite, String::new());
        for address in &self.monitoring {
            let answer = timeout(ANSWER_TIMEOUT, fetch(address)).await;
            match answer.map_err(anyhow::Error::from).flatten().and_then(|page| syncs_always(&page)) {
                Ok(true) => {}
                Ok(false) => return (Syncs::Later, "sync_interval is not `always`".to_owned()),
                Err(error) => found = (Syncs::Unknown, format!("{error:#}")),
            }
        }
        found
    }
}

fn report(syncs: Syncs, reason: &str) {
    match syncs {
        Syncs::EveryWrite => tracing::info!("the monitored servers of NATS sync every write to disk"),
        Syncs::Later => tracing::warn!(
            reason,
            "{LATER}: {CONSEQUENCE}; set `sync_interval: always` in its jetstream block"
        ),
        Syncs::Unknown => tracing::warn!(reason, "{UNKNOWN}; if they do not, {CONSEQUENCE}"),
    }
}

/// Reads the answer of a server.
fn syncs_always(page: &[u8]) -> anyhow::Result<bool> {
    let page: serde_json::Value =
        serde_json::from_slice(page).context("the answer is not that of a server of NATS")?;
    let config = page.get("config").context("the answer has no configuration of JetStream")?;
    // It is left out when it is off.
    Ok(config.get("sync_always").and_then(serde_json::Value::as_bool).unwrap_or(false))
}

async fn fetch(address: &Uri) -> anyhow::Result<Bytes> {
    let authority = address.authority().context("it has no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(MONITORING_PORT))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender, or with the connection.
    tokio::spawn(connection);
    let request = Request::get(PAGE).header(HOST, authority.as_str()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    ensure!(response.status().is_success(), "the status is {}", response.status());
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    Ok(body.map_err(|error| anyhow::anyhow!(error))?.to_bytes())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn sync_is_read_from_the_page_of_a_server() {
        assert!(syncs_always(br#"{"config":{"max_memory":1,"sync_always":true}}"#).unwrap());
        assert!(!syncs_always(br#"{"config":{"sync_interval":120000000000}}"#).unwrap());
        assert!(syncs_always(br#"{"disabled":true}"#).is_err(), "without JetStream");
        assert!(syncs_always(b"<html>").is_err());
    }

    async fn answering(status: &'static str, page: &'static str) -> Uri {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /jsz?config=1 HTTP/1.1\r\n"));
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{page}", page.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        address
    }

    #[test]
    fn warning_lasts_until_every_write_is_known_to_be_synced() {
        let durability = Durability::default();
        assert!(durability.warning().unwrap().starts_with(UNKNOWN));
        *durability.0.lock() = Syncs::Later;
        let warning = durability.warning().unwrap();
        assert!(warning.starts_with(LATER) && warning.ends_with(CONSEQUENCE), "{warning}");
        *durability.0.lock() = Syncs::EveryWrite;
        assert_eq!(durability.warning(), None);
    }

    #[tokio::test]
    async fn one_server_that_syncs_later_or_does_not_answer_counts() {
        let always = r#"{"config":{"sync_always":true}}"#;
        let ask = async |monitoring| Cluster { monitoring, durability: Durability::default() }.ask().await.0;
        assert_eq!(ask(vec![answering("200 OK", always).await]).await, Syncs::EveryWrite);
        let later = answering("200 OK", r#"{"config":{}}"#).await;
        assert_eq!(ask(vec![answering("200 OK", always).await, later]).await, Syncs::Later);
        let broken = answering("500 Oops", "").await;
        assert_eq!(ask(vec![broken, answering("200 OK", always).await]).await, Syncs::Unknown);
    }
}
