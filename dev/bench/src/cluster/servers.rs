//! The servers that are measured: one that has its chat alone, and three of one chat; and the guests of each.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use fastrand::Rng;
use harness::{LogStatus, Machines, Server};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tonic::transport::Channel;

use crate::people::{Guest, connect, join};
use crate::process::backend;

/// The most senders of a measurement.
pub(super) const SENDERS: usize = 256;
/// HTTP/2 connections that the senders of a server share.
const CONNECTIONS: usize = 8;
/// The text of every message, of usual length.
pub(super) const TEXT: &str = "The quick brown fox jumps over the lazy dog, twice a day.";

/// All servers, and guests of each chat.
pub(super) struct Servers {
    pub(super) alone: Server,
    /// Guests of the server that has its chat alone.
    pub(super) at_alone: Place,
    /// The cluster on servers of NATS, and that on PostgreSQL, if it is measured.
    pub(super) clusters: Vec<Cluster>,
    // Removed when the servers have ended.
    _folder: TempDir,
}

/// Three servers of one chat, with its log.
pub(super) struct Cluster {
    /// The place of the log, for the report.
    pub(super) log: &'static str,
    pub(super) machines: Machines,
    /// Guests of the cluster at one of its servers.
    pub(super) at_one: Place,
    /// The same guests, spread over all servers.
    pub(super) at_all: Place,
}

/// Guests, and the servers that they are connected to.
pub(super) struct Place {
    /// The connections to each server.
    channels: Vec<Vec<Channel>>,
    pub(super) guests: Vec<Guest>,
}

/// A guest who sends, to one server or in turn to several.
pub(super) struct Sender {
    clients: Vec<ChatServiceClient<Channel>>,
    guest: Guest,
    sent: usize,
}

/// The log, and the appends to it since the servers have started.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogState {
    pub(super) entries: f64,
    pub(super) bytes: f64,
    /// Appends, and entries that they have stored in the end.
    tries: f64,
    stored: f64,
}

impl Servers {
    pub(super) async fn begin(with_postgres: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let alone = backend(&folder.path().join("alone"))?;
        let at_alone = Place::join(std::slice::from_ref(&alone)).await?;
        let on_nats = begin_machines(&folder.path().join("cluster"), None).await?;
        let mut clusters = vec![Cluster::new("three servers of NATS", on_nats).await?];
        if with_postgres {
            let folder = folder.path().join("on-postgres");
            let machines = Machines::begin_on_postgres(&folder, &mut Rng::new(), &node_flags()).await?;
            clusters.push(Cluster::new("PostgreSQL", machines).await?);
        }
        Ok(Self { alone, at_alone, clusters, _folder: folder })
    }
}

impl Cluster {
    async fn new(log: &'static str, machines: Machines) -> Result<Self> {
        let at_all = Place::join(&machines.nodes).await?;
        let at_one = Place { channels: at_all.channels[..1].to_vec(), guests: at_all.guests.clone() };
        Ok(Self { log, machines, at_one, at_all })
    }
}

/// Three servers of a chat that begins with the database in the folder `data`, if there is one. They have metrics.
pub(super) async fn begin_machines(folder: &Path, data: Option<&Path>) -> Result<Machines> {
    Machines::begin(folder, data, &mut Rng::new(), &node_flags()).await
}

fn node_flags() -> [String; 2] {
    ["--log=info".to_owned(), "--admin=127.0.0.1:0".to_owned()]
}

/// The state of the log now.
pub(super) async fn log_state(machines: &Machines) -> Result<LogState> {
    let LogStatus { entries, bytes, .. } = machines.commands.status().await?;
    let mut state = LogState { entries: entries as f64, bytes: bytes as f64, tries: 0.0, stored: 0.0 };
    for node in &machines.nodes {
        let text = scrape(admin_address(node)?).await?;
        state.tries += value(&text, "chinwag_log_append_tries_sum ")?;
        state.stored += value(&text, "chinwag_log_append_tries_count ")?;
    }
    Ok(state)
}

impl LogState {
    /// Appends for each entry that was stored since `before`.
    pub(super) fn tries_per_entry(&self, before: &Self) -> f64 {
        (self.tries - before.tries) / (self.stored - before.stored)
    }
}

/// The address of the metrics, which the server has chosen at its newest start.
fn admin_address(node: &Server) -> Result<SocketAddr> {
    let address = |line: &String| line.split_once("admin.listen=")?.1.split_whitespace().next()?.parse().ok();
    node.log().iter().rev().find_map(address).context("the server does not log the address of its metrics")
}

async fn scrape(address: SocketAddr) -> Result<String> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut call, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = http::Request::get("/metrics").header("host", address.to_string());
    let response = call.send_request(request.body(Empty::<Bytes>::new())?).await?;
    ensure!(response.status().is_success(), "the metrics are {}", response.status());
    Ok(String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())?)
}

fn value(metrics: &str, name: &str) -> Result<f64> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name));
    Ok(value.with_context(|| format!("there is no {name}"))?.trim().parse()?)
}

impl Place {
    /// [`SENDERS`] new guests of a chat, spread over these of its servers.
    pub(super) async fn join(servers: &[Server]) -> Result<Self> {
        let mut channels = Vec::new();
        for server in servers {
            channels.push(connect(&server.url(), CONNECTIONS).await?);
        }
        let guests = join(&channels[0][0], SENDERS).await?;
        Ok(Self { channels, guests })
    }

    /// `count` of the guests, each at one server. One alone goes to the next server for each message.
    pub(super) fn senders(&self, count: usize) -> Vec<Sender> {
        let servers = self.channels.len();
        let sender = |index: usize| {
            let chosen = if count == 1 { 0..servers } else { index % servers..index % servers + 1 };
            let connection = index / servers % CONNECTIONS;
            let client = |channels: &Vec<Channel>| ChatServiceClient::new(channels[connection].clone());
            let clients = self.channels[chosen].iter().map(client).collect();
            Sender { clients, guest: self.guests[index].clone(), sent: 0 }
        };
        (0..count).map(sender).collect()
    }

    /// A connection to one of the servers.
    pub(super) fn channel(&self, server: usize) -> Channel {
        self.channels[server][0].clone()
    }
}

impl Sender {
    /// Sends a message, and returns its number when it is stored.
    pub(super) async fn send(&mut self) -> Result<u64> {
        let turn = self.sent % self.clients.len();
        self.sent += 1;
        Ok(self.clients[turn].send_message(self.guest.message(TEXT)).await?.into_inner().seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_found_by_the_whole_name() {
        let metrics = "# HELP a b\nchinwag_log_append_tries_sum 12.0\nchinwag_log_append_tries_count 9\n";
        assert!((value(metrics, "chinwag_log_append_tries_count ").unwrap() - 9.0).abs() < f64::EPSILON);
        value(metrics, "chinwag_log_append ").unwrap_err();
    }
}
