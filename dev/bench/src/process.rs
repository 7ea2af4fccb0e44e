//! Servers as processes of their own, and what the system says they used.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// `/proc` counts CPU time in these, on every Linux that matters.
const TICK: Duration = Duration::from_millis(10);

/// A server that was started and says where it listens. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Server {
    /// The product's server on `data`.
    pub(crate) async fn backend(data: &std::path::Path) -> Result<Self> {
        let mut command = Command::new(beside_this_program("chinwag")?);
        command.arg("--listen").arg("127.0.0.1:0").arg("--data").arg(data).arg("--log").arg("warn");
        // The measurements are of the server, not of what it lets one address do.
        command.arg("--rates=false");
        Self::start(command).await
    }

    /// This program again, as another server.
    pub(crate) async fn own(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::start(command).await
    }

    async fn start(mut command: Command) -> Result<Self> {
        command.stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some(addr) = line.strip_prefix("listening on http://") {
                return Ok(Self { child, addr: addr.trim().parse()? });
            }
        }
        anyhow::bail!("{command:?} ended before it listened")
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The CPU time that it has used, user and system.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_in_stat(&self.proc("stat")?).context("malformed /proc stat")
    }

    /// The memory that it holds, bytes.
    pub(crate) fn resident_bytes(&self) -> Result<f64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024.0)
    }

    fn proc(&self, file: &str) -> Result<String> {
        let id = self.child.id().context("the server ended")?;
        fs::read_to_string(format!("/proc/{id}/{file}")).context("cannot read /proc")
    }
}

/// The CPU time that a process has used, by its `stat` in `/proc`.
pub(crate) fn cpu_in_stat(stat: &str) -> Option<Duration> {
    // The second field is the program's name in brackets, and may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    Some(TICK * (fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?))
}

fn beside_this_program(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    anyhow::ensure!(
        path.exists(),
        "{} is missing: `cargo xtask bench chat` builds it, or `cargo build --release -p backend`",
        path.display()
    );
    Ok(path)
}

/// What the figures were measured on, in a line.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|info| {
        let line = info.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    format!("{} cores, {}", cores, model.as_deref().unwrap_or("unknown processor"))
}
