//! Three servers of NATS and three servers of one chat, as processes on this machine.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::{Nats, Server, free_port, program};

/// Servers of each kind.
const COUNT: usize = 3;
/// Time limit until the servers of NATS have found each other, and have elected a leader.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two questions to them.
const PAUSE: Duration = Duration::from_millis(200);

/// The cluster's name.
const NAME: &str = "team";

/// All servers. Dropping them kills them.
#[derive(Debug)]
pub struct Machines {
    /// The servers of NATS, which sync every write.
    pub nats: Vec<Nats>,
    /// The servers of the chat.
    pub nodes: Vec<Server>,
    flags: [String; 2],
}

/// The log as `chinwag cluster status` describes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogStatus {
    /// Number of entries.
    pub entries: u64,
    /// Size of the entries on one server.
    pub bytes: u64,
    /// Index of the server of NATS that takes the entries; `None` while there is none.
    pub leader: Option<usize>,
    /// Whether the other servers have all entries.
    pub is_current: bool,
}

impl Machines {
    /// Starts all of them, with their files in `folder`. The chat begins with the database in the folder `data`, if one is named.
    /// `flags` are those of each server of the chat.
    ///
    /// # Errors
    ///
    /// There is no program of NATS, or the server's was built without the feature `cluster`.
    pub async fn begin(folder: &Path, data: Option<&Path>, rng: &mut Rng, flags: &[String]) -> Result<Self> {
        let (mut clients, mut routes) = (Vec::new(), Vec::new());
        for _ in 0..COUNT {
            clients.push(free_port(rng)?);
            routes.push(free_port(rng)?);
        }
        let cluster = [format!("--cluster={}", urls(&clients)), format!("--cluster-name={NAME}")];
        let mut machines = Self { nats: Vec::new(), nodes: Vec::new(), flags: cluster };
        for index in 0..COUNT {
            let folder = folder.join(name(index));
            let (client, route, others) = (clients[index], routes[index], urls(&routes));
            let config = format!(
                "server_name: {}\nlisten: {client}\njetstream {{ store_dir: {:?}, sync_interval: always }}\n\
                 cluster {{ name: {NAME}, listen: {route}, routes: [{others}] }}\n",
                name(index),
                folder.join("store"),
            );
            let mut nats = Nats::new(&folder, &config)?;
            nats.start()?;
            machines.nats.push(nats);
        }
        machines.init(data.unwrap_or(&folder.join("nothing"))).await?;
        for index in 0..COUNT {
            let mut node = machines.node(&folder.join(format!("node-{index}")))?.listen(free_port(rng)?);
            node.add_flags(flags);
            node.start()?;
            machines.nodes.push(node);
        }
        Ok(machines)
    }

    /// Another server of the chat with its data in `folder`, not started.
    pub fn node(&self, folder: &Path) -> Result<Server> {
        Ok(Server::new(folder)?.flags(&self.flags))
    }

    /// Makes the cluster as soon as the servers of NATS have a leader.
    async fn init(&self, data: &Path) -> Result<()> {
        let data = format!("--data={}", data.display());
        let give_up = Instant::now() + ELECTION_TIMEOUT;
        loop {
            match self.command(&["init", &data]).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > give_up => return Err(error),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Waits until all servers of NATS have the whole log, and returns its leader's index.
    pub async fn healthy(&self) -> Result<usize> {
        let give_up = Instant::now() + ELECTION_TIMEOUT;
        loop {
            let status = self.status().await;
            match &status {
                Ok(LogStatus { leader: Some(leader), is_current: true, .. }) => return Ok(*leader),
                _ => ensure!(Instant::now() < give_up, "the log is not well: {status:?}"),
            }
            sleep(PAUSE).await;
        }
    }

    /// The log now.
    pub async fn status(&self) -> Result<LogStatus> {
        let text = self.command(&["status"]).await?;
        log_status(&text).with_context(|| format!("the status of the log is {text}"))
    }

    /// The output of a command of `chinwag cluster`.
    async fn command(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(program()?);
        command.arg("cluster").args(words).args(&self.flags);
        let output = spawn_blocking(move || command.output()).await??;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`chinwag cluster {}` said {error}", words.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// The name of a server of NATS.
fn name(index: usize) -> String {
    format!("n{index}")
}

fn urls(servers: &[SocketAddr]) -> String {
    servers.iter().map(|addr| format!("nats://{addr}")).collect::<Vec<_>>().join(",")
}

fn log_status(text: &str) -> Option<LogStatus> {
    let all = |start: &'static str| text.lines().filter_map(move |line| line.strip_prefix(start));
    let (entries, bytes) = all("entries: ").next()?.strip_suffix(" bytes")?.split_once(", ")?;
    let (first, end) = entries.split_once(" to ")?;
    let leader = all("leader: ").next()?;
    Some(LogStatus {
        entries: (end.parse::<u64>().ok()? + 1).checked_sub(first.parse().ok()?)?,
        bytes: bytes.parse().ok()?,
        leader: (0..COUNT).find(|index| name(*index) == leader),
        is_current: all("replica: ").filter(|replica| replica.ends_with(" (current)")).count() == COUNT - 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_from_the_output_of_the_command() {
        let text = "log: 0a\nentries: 2 to 17, 4711 bytes\nleader: n1\nreplica: n0 (current)\nreplica: n2 (current)\n";
        let status = LogStatus { entries: 16, bytes: 4711, leader: Some(1), is_current: true };
        assert_eq!(log_status(text), Some(status));
        let text = text.replace("leader: n1", "leader: none").replace("n2 (current)", "n2 (BEHIND)");
        assert_eq!(log_status(&text), Some(LogStatus { leader: None, is_current: false, ..status }));
        assert_eq!(log_status("log: 0a"), None);
    }
}
