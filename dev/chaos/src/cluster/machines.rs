//! Three servers of NATS and three servers of the chat, as processes, and the network between them.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use harness::Server;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::faults::Done;
use super::nats::{Nats, Place, STOP_TIMEOUT};
use super::network::Network;
use crate::ports::free_port;

/// Servers of each kind.
const COUNT: usize = 3;
/// Time limit until the servers of NATS have found each other.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two looks at the cluster.
const LOOK: Duration = Duration::from_millis(250);
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
    pub(super) commands: Commands,
    pub(super) nats: Vec<Nats>,
    pub(super) nodes: Vec<Server>,
    pub(super) network: Network,
}

/// The commands of `chinwag cluster`, which go to the servers of NATS by no relay.
#[derive(Clone, Debug)]
pub(super) struct Commands {
    flags: [String; 2],
}

impl Machines {
    /// Starts all of them.
    pub(super) async fn begin(folder: &Path, rng: &mut Rng) -> Result<Self> {
        let program = std::env::var_os("CHINWAG_NATS").map_or_else(|| "nats-server".into(), PathBuf::from);
        let (mut clients, mut routes) = (Vec::new(), Vec::new());
        for _ in 0..COUNT {
            clients.push(free_port(rng)?);
            routes.push(free_port(rng)?);
        }
        let network = Network::begin(&routes, &clients, COUNT).await?;
        let commands = Commands { flags: flags(&clients) };
        let mut machines = Self { commands, nats: Vec::new(), nodes: Vec::new(), network };
        for index in 0..COUNT {
            let (client, route) = (clients[index], routes[index]);
            let place = Place { client, route, others: machines.network.others_of(index) };
            let disk = (index == ON_A_DISK).then_some(DISK);
            machines.nats.push(Nats::new(&program, folder, index, &place, disk)?);
            machines.start_nats(index)?;
        }
        machines.init(folder).await?;
        for index in 0..COUNT {
            let folder = folder.join(format!("node-{index}"));
            let page = format!("--page={}", folder.join("page").display());
            let node = Server::new(&folder.join("data"))?.listen(free_port(rng)?);
            let mut node = node.flags(["--log=info".to_owned(), page]);
            node.add_flags(flags(&machines.network.servers_of(index)));
            node.start()?;
            machines.nodes.push(node);
        }
        Ok(machines)
    }

    /// Makes the cluster as soon as the servers of NATS have a leader.
    async fn init(&self, folder: &Path) -> Result<()> {
        let data = format!("--data={}", folder.join("nothing").display());
        let until = Instant::now() + CLUSTER_TIMEOUT;
        loop {
            match self.commands.run(&["init", &data]).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => sleep(LOOK).await,
            }
        }
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

impl Commands {
    /// The output of a command.
    async fn run(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(harness::program()?);
        command.arg("cluster").args(words).args(&self.flags);
        let output = spawn_blocking(move || command.output()).await??;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`chinwag cluster {}` said {error}", words.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The output of `chinwag cluster status`.
    pub(super) async fn status(&self) -> Result<String> {
        self.run(&["status"]).await
    }

    /// The index of the server of NATS that leads the log. Waits until there is one.
    pub(super) async fn leader(&self) -> Result<usize> {
        let until = Instant::now() + CLUSTER_TIMEOUT;
        loop {
            match self.try_leader().await {
                Ok(leader) => return Ok(leader),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => sleep(LOOK).await,
            }
        }
    }

    async fn try_leader(&self) -> Result<usize> {
        let status = self.status().await?;
        let leader = status.lines().find_map(|line| line.strip_prefix("leader: n"));
        leader
            .and_then(|number| number.parse().ok())
            .with_context(|| format!("the log has no leader that is known here: {status}"))
    }
}

fn flags(servers: &[SocketAddr]) -> [String; 2] {
    let urls: Vec<_> = servers.iter().map(|addr| format!("nats://{addr}")).collect();
    [format!("--cluster={}", urls.join(",")), format!("--cluster-name={NAME}")]
}

fn faketime() -> Option<PathBuf> {
    let named = std::env::var_os("CHINWAG_FAKETIME").map(PathBuf::from);
    named.into_iter().chain(FAKETIME.map(PathBuf::from)).find(|library| library.is_file())
}
