//! Three servers of NATS and three servers of the chat, as processes, and the network between them.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use harness::{ClusterCommands, Server, free_port};
use tokio::time::sleep;

use super::faults::Done;
use super::nats::{Nats, Place};
use super::network::Network;

/// Servers of each kind.
const COUNT: usize = 3;
/// Time limit of a graceful shutdown.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// The server of NATS whose disk becomes full.
const ON_A_DISK: usize = COUNT - 1;
/// Size of that disk, bytes. Its files take this machine's memory.
const DISK: u64 = 1024 * 1024 * 1024;
/// Bytes that are left on a disk that becomes full: some seconds of entries.
const LEFT: u64 = 64 * 1024;
/// The places of the library that gives a program another time of day; the variable `CHINWAG_FAKETIME` names another one.
const FAKETIME: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];
const NAME: &str = "chaos";

/// All servers. Dropping them kills them.
#[derive(Debug)]
pub(super) struct Machines {
    /// Its commands go to the servers of NATS by no relay.
    pub(super) commands: ClusterCommands,
    pub(super) nats: Vec<Nats>,
    pub(super) nodes: Vec<Server>,
    pub(super) network: Network,
}

impl Machines {
    /// Starts all of them.
    pub(super) async fn begin(folder: &Path, rng: &mut Rng) -> Result<Self> {
        let (mut clients, mut routes) = (Vec::new(), Vec::new());
        for _ in 0..COUNT {
            clients.push(free_port(rng)?);
            routes.push(free_port(rng)?);
        }
        let network = Network::begin(&routes, &clients, COUNT).await?;
        let commands = ClusterCommands::new(NAME, &clients);
        let mut machines = Self { commands, nats: Vec::new(), nodes: Vec::new(), network };
        for index in 0..COUNT {
            let (client, route) = (clients[index], routes[index]);
            let place = Place { client, route, others: machines.network.others_of(index) };
            let disk = (index == ON_A_DISK).then_some(DISK);
            machines.nats.push(Nats::new(folder, index, &place, disk)?);
            machines.start_nats(index)?;
        }
        machines.commands.init(&folder.join("nothing")).await?;
        for index in 0..COUNT {
            let folder = folder.join(format!("node-{index}"));
            let page = format!("--page={}", folder.join("page").display());
            let node = Server::new(&folder.join("data"))?.listen(free_port(rng)?);
            let mut node = node.flags(["--log=info".to_owned(), page]);
            node.add_flags(ClusterCommands::new(NAME, &machines.network.servers_of(index)).flags());
            node.start()?;
            machines.nodes.push(node);
        }
        Ok(machines)
    }

    pub(super) fn start_nats(&mut self, index: usize) -> Result<()> {
        self.nats[index].start()
    }

    /// Fills the disk of a server of NATS. One whose disk was full does nothing more until it is started again.
    pub(super) async fn fill_disk(&mut self, away: Duration) -> Result<Done> {
        let nats = &mut self.nats[ON_A_DISK];
        let Some(disk) = &nats.disk else {
            return Ok(Done::Impossible("a full disk, because this process may not mount a disk"));
        };
        disk.leave(LEFT)?;
        sleep(away).await;
        disk.resize(DISK)?;
        nats.kill()?;
        nats.start()?;
        Ok(Done::CarriedOut)
    }

    /// Starts a server of the chat with a clock that is wrong by `seconds`, and again with the right one.
    pub(super) async fn change_clock(&mut self, node: usize, seconds: i64, away: Duration) -> Result<Done> {
        let Some(library) = faketime() else {
            return Ok(Done::Impossible("a wrong clock, for which libfaketime has to be there"));
        };
        let variables = [
            ("LD_PRELOAD", library.into_os_string()),
            ("FAKETIME", format!("{seconds:+}").into()),
            // Timers go on as they are.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ];
        self.stop_node(node)?;
        self.nodes[node].set_environment(variables.map(|(name, value)| (OsString::from(name), value)));
        self.nodes[node].start()?;
        sleep(away).await;
        self.stop_node(node)?;
        self.nodes[node].set_environment([]);
        self.nodes[node].start()?;
        Ok(Done::CarriedOut)
    }

    /// The addresses of the servers of the chat.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Server::addr).collect()
    }

    /// Ends and starts every server of the chat.
    pub(super) fn restart_nodes(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.terminate(STOP_TIMEOUT)?;
            node.start()?;
        }
        Ok(())
    }

    pub(super) fn stop_node(&mut self, index: usize) -> Result<Duration> {
        self.nodes[index].terminate(STOP_TIMEOUT)
    }

    /// The last lines of all logs.
    pub(super) fn logs(&self) -> Vec<Vec<String>> {
        let last = |lines: Vec<String>| lines[lines.len().saturating_sub(20)..].to_vec();
        let nats = self.nats.iter().map(|nats| last(nats.log()));
        self.nodes.iter().map(|node| last(node.log())).chain(nats).collect()
    }

    /// Panics of the servers of the chat.
    pub(super) fn panics(&self) -> u64 {
        self.nodes.iter().map(Server::panics).sum()
    }
}

fn faketime() -> Option<PathBuf> {
    let named = std::env::var_os("CHINWAG_FAKETIME").map(PathBuf::from);
    named.into_iter().chain(FAKETIME.map(PathBuf::from)).find(|library| library.is_file())
}
