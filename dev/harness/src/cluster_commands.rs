//! The commands of `chinwag cluster`, for a cluster of three servers of NATS on this machine.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::program;

/// Time limit until the servers of NATS have found each other, and have elected a leader.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two questions to them.
const PAUSE: Duration = Duration::from_millis(200);

/// The commands, and the flags with which they and the servers of the chat find the cluster.
#[derive(Clone, Debug)]
pub struct ClusterCommands {
    flags: [String; 2],
    /// Number of servers of NATS.
    servers: usize,
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

impl ClusterCommands {
    /// `servers`: the addresses of the servers of NATS, which are named n0, n1 and so on.
    pub fn new(name: &str, servers: &[SocketAddr]) -> Self {
        let flags = [format!("--cluster={}", cluster_urls(servers)), format!("--cluster-name={name}")];
        Self { flags, servers: servers.len() }
    }

    /// For a cluster whose log is at one address, of whatever kind.
    pub fn at(name: &str, url: &str) -> Self {
        let flags = [format!("--cluster={url}"), format!("--cluster-name={name}")];
        Self { flags, servers: 1 }
    }

    /// The flags that name the cluster.
    pub fn flags(&self) -> &[String] {
        &self.flags
    }

    /// Makes the cluster as soon as the servers of NATS have a leader. It begins with the database in the folder `data`, if there is one.
    pub async fn init(&self, data: &Path) -> Result<()> {
        let data = format!("--data={}", data.display());
        let give_up = Instant::now() + ELECTION_TIMEOUT;
        loop {
            match self.run(&["init", &data]).await {
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

    /// Waits until the log has a leader, and returns its index.
    pub async fn leader(&self) -> Result<usize> {
        let give_up = Instant::now() + ELECTION_TIMEOUT;
        loop {
            let status = self.status().await;
            match &status {
                Ok(LogStatus { leader: Some(leader), .. }) => return Ok(*leader),
                _ => ensure!(Instant::now() < give_up, "the log has no leader: {status:?}"),
            }
            sleep(PAUSE).await;
        }
    }

    /// The log now.
    pub async fn status(&self) -> Result<LogStatus> {
        let text = self.run(&["status"]).await?;
        log_status(&text, self.servers).with_context(|| format!("the status of the log is {text}"))
    }

    /// The output of a command of `chinwag cluster`.
    async fn run(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(program()?);
        command.arg("cluster").args(words).args(&self.flags);
        let output = spawn_blocking(move || command.output()).await??;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`chinwag cluster {}` said {error}", words.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// The name of a server of NATS.
pub(crate) fn nats_name(index: usize) -> String {
    format!("n{index}")
}

/// The addresses of servers of NATS as their configuration and the flags have them.
pub(crate) fn cluster_urls(servers: &[SocketAddr]) -> String {
    servers.iter().map(|addr| format!("nats://{addr}")).collect::<Vec<_>>().join(",")
}

fn log_status(text: &str, servers: usize) -> Option<LogStatus> {
    let all = |start: &'static str| text.lines().filter_map(move |line| line.strip_prefix(start));
    let (entries, bytes) = all("entries: ").next()?.strip_suffix(" bytes")?.split_once(", ")?;
    let (first, end) = entries.split_once(" to ")?;
    let leader = all("leader: ").next()?;
    Some(LogStatus {
        entries: (end.parse::<u64>().ok()? + 1).checked_sub(first.parse().ok()?)?,
        bytes: bytes.parse().ok()?,
        leader: (0..servers).find(|index| nats_name(*index) == leader),
        is_current: all("replica: ").filter(|replica| replica.ends_with(" (current)")).count() == servers - 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_from_the_output_of_the_command() {
        let text = "log: 0a\nentries: 2 to 17, 4711 bytes\nleader: n1\nreplica: n0 (current)\nreplica: n2 (current)\n";
        let status = LogStatus { entries: 16, bytes: 4711, leader: Some(1), is_current: true };
        assert_eq!(log_status(text, 3), Some(status));
        let text = text.replace("leader: n1", "leader: none").replace("n2 (current)", "n2 (BEHIND)");
        assert_eq!(log_status(&text, 3), Some(LogStatus { leader: None, is_current: false, ..status }));
        assert_eq!(log_status("log: 0a", 3), None);
    }
}
