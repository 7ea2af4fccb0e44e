//! Three servers of NATS and three servers of the chat, as processes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use harness::{Process, Server};
use rustix::process::Signal;
use tokio::time::sleep;

use crate::ports::free_port;

/// Servers of each kind.
const COUNT: usize = 3;
/// Time limit of a graceful shutdown.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Time limit until the servers of NATS have found each other.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(60);
const NAME: &str = "chaos";

/// A server of NATS.
#[derive(Debug)]
pub(super) struct Nats {
    name: String,
    config: PathBuf,
    process: Option<Process>,
}

/// All servers. Dropping them kills them.
#[derive(Debug)]
pub(super) struct Machines {
    program: PathBuf,
    urls: Vec<String>,
    pub(super) nats: Vec<Nats>,
    pub(super) nodes: Vec<Server>,
}

impl Machines {
    /// Starts all of them.
    pub(super) async fn begin(folder: &Path, rng: &mut Rng) -> Result<Self> {
        let program = std::env::var_os("CHINWAG_NATS").map_or_else(|| "nats-server".into(), PathBuf::from);
        let mut ports = Vec::new();
        for _ in 0..COUNT {
            ports.push((free_port(rng)?, free_port(rng)?));
        }
        let urls = ports.iter().map(|(client, _)| format!("nats://{client}")).collect();
        let mut machines = Self { program, urls, nats: Vec::new(), nodes: Vec::new() };
        for index in 0..COUNT {
            machines.nats.push(Nats::new(folder, index, &ports)?);
            machines.start_nats(index)?;
        }
        machines.init(folder).await?;
        for index in 0..COUNT {
            let folder = folder.join(format!("node-{index}"));
            let page = format!("--page={}", folder.join("page").display());
            let node = Server::new(&folder.join("data"))?.listen(free_port(rng)?);
            let mut node = node.flags(["--log=info".to_owned(), page]).flags(machines.flags());
            node.start()?;
            machines.nodes.push(node);
        }
        Ok(machines)
    }

    fn flags(&self) -> [String; 2] {
        [format!("--cluster={}", self.urls.join(",")), format!("--cluster-name={NAME}")]
    }

    /// Makes the cluster as soon as the servers of NATS have a leader.
    async fn init(&self, folder: &Path) -> Result<()> {
        let data = format!("--data={}", folder.join("nothing").display());
        let until = Instant::now() + CLUSTER_TIMEOUT;
        loop {
            match self.command(&["init", &data]) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => sleep(Duration::from_millis(500)).await,
            }
        }
    }

    /// The output of a command of `chinwag cluster`.
    fn command(&self, words: &[&str]) -> Result<String> {
        let output =
            Command::new(harness::program()?).arg("cluster").args(words).args(self.flags()).output()?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`chinwag cluster {}` said {error}", words.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The output of `chinwag cluster status`.
    pub(super) fn status(&self) -> Result<String> {
        self.command(&["status"])
    }

    /// The server of NATS that leads the log.
    pub(super) async fn leader(&self) -> Result<usize> {
        let until = Instant::now() + CLUSTER_TIMEOUT;
        loop {
            match self.try_leader() {
                Ok(leader) => return Ok(leader),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => sleep(Duration::from_millis(500)).await,
            }
        }
    }

    fn try_leader(&self) -> Result<usize> {
        let status = self.status()?;
        let leader = status.lines().find_map(|line| line.strip_prefix("leader: "));
        let index = self.nats.iter().position(|nats| Some(nats.name.as_str()) == leader);
        index.with_context(|| format!("the log has no leader that is known here: {status}"))
    }

    pub(super) fn start_nats(&mut self, index: usize) -> Result<()> {
        let nats = &mut self.nats[index];
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(&nats.config);
        nats.process = Some(Process::start_quietly(&mut command)?);
        Ok(())
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
        let nats =
            self.nats.iter().map(|nats| last(nats.process.as_ref().map(Process::log).unwrap_or_default()));
        self.nodes.iter().map(|node| last(node.log())).chain(nats).collect()
    }

    /// Panics of the servers of the chat.
    pub(super) fn panics(&self) -> u64 {
        self.nodes.iter().map(Server::panics).sum()
    }
}

impl Nats {
    fn new(folder: &Path, index: usize, ports: &[(SocketAddr, SocketAddr)]) -> Result<Self> {
        let name = format!("n{index}");
        let folder = folder.join(&name);
        fs::create_dir_all(&folder)?;
        let (client, cluster) = ports[index];
        let routes: Vec<_> = ports.iter().map(|(_, cluster)| format!("nats://{cluster}")).collect();
        let store = folder.join("store");
        let text = format!(
            "server_name: {name}\nlisten: {client}\njetstream {{ store_dir: {store:?}, sync_interval: always }}\n\
             cluster {{ name: chaos, listen: {cluster}, routes: [{}] }}\n",
            routes.join(", ")
        );
        let config = folder.join("nats.conf");
        fs::write(&config, text)?;
        Ok(Self { name, config, process: None })
    }

    fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("this server of NATS was not started")
    }

    /// Sends SIGKILL and waits for the end.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.process()?.kill()
    }

    /// Sends SIGTERM and waits for the end.
    pub(super) fn stop(&mut self) -> Result<()> {
        match self.process()?.terminate(STOP_TIMEOUT) {
            Ok(_) => Ok(()),
            Err(error) => bail!("{} does not end: {error:#}", self.name),
        }
    }

    pub(super) fn pause(&mut self) -> Result<()> {
        self.process()?.signal(Signal::STOP)
    }

    pub(super) fn resume(&mut self) -> Result<()> {
        self.process()?.signal(Signal::CONT)
    }
}
