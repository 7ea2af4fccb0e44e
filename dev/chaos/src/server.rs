//! The server under test: started and ended by the harness, and here limited in files and descriptors.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::time::sleep;

/// Time limit of a graceful shutdown, with hostile clients connected.
const STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// A server with a port and a data folder of its own. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    inner: harness::Server,
    folder: PathBuf,
}

impl Server {
    /// Not started yet. `folder` holds its data.
    pub(crate) fn new(folder: &Path, addr: SocketAddr) -> Result<Self> {
        let page = format!("--page={}", folder.join("page").display());
        let inner = harness::Server::new(&folder.join("data"))?.listen(addr).flags(["--log=warn", &page]);
        Ok(Self { inner, folder: folder.to_owned() })
    }

    /// Another server on another folder and a free port, not started.
    pub(crate) fn another(&self, folder: &Path) -> Result<Self> {
        Self::new(folder, SocketAddr::new(self.addr().ip(), 0))
    }

    /// Starts it and kills it after `life`, in whatever state it is then.
    pub(crate) async fn start_and_kill(&mut self, life: Duration) -> Result<()> {
        self.spawn()?;
        sleep(life).await;
        self.kill()
    }

    /// Sends SIGTERM and returns the duration of the graceful shutdown.
    pub(crate) fn shut_down(&mut self) -> Result<Duration> {
        self.terminate(STOP_TIMEOUT)
    }

    /// Limits the size of the server's files, bytes. `None` is the system's limit.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        self.limit(Resource::Fsize, "Max file size", bytes)
    }

    /// Limits the numbers of the server's descriptors. `None` is the system's limit.
    pub(crate) fn limit_descriptors(&self, count: Option<u64>) -> Result<()> {
        self.limit(Resource::Nofile, "Max open files", count)
    }

    /// Sets the soft limit, which can be raised again without rights.
    fn limit(&self, resource: Resource, name: &str, soft: Option<u64>) -> Result<()> {
        let maximum = self.hard_limit(name)?;
        let limit = Rlimit { current: soft.or(maximum), maximum };
        let pid = Pid::from_raw(self.id()?.try_into()?).context("a process id is not 0")?;
        prlimit(Some(pid), resource, limit).context("cannot limit the server")?;
        Ok(())
    }

    /// The hard limit with this name in `/proc`. `None` is "unlimited".
    fn hard_limit(&self, name: &str) -> Result<Option<u64>> {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.id()?))?;
        let values = limits.lines().find_map(|line| line.strip_prefix(name));
        let values = values.with_context(|| format!("/proc does not know the limit `{name}`"))?;
        Ok(values.split_whitespace().nth(1).and_then(|hard| hard.parse().ok()))
    }

    /// Number of open descriptors.
    pub(crate) fn descriptors(&self) -> Result<u64> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.id()?))?.count() as u64)
    }

    /// Length of the database's write-ahead log, bytes.
    pub(crate) fn log_bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.folder.join("data")).into_iter().flatten().flatten();
        let wal = files.filter(|file| file.file_name().to_string_lossy().ends_with("-wal"));
        wal.filter_map(|file| file.metadata().ok()).map(|data| data.len()).max().unwrap_or(0)
    }
}

impl Deref for Server {
    type Target = harness::Server;

    fn deref(&self) -> &harness::Server {
        &self.inner
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut harness::Server {
        &mut self.inner
    }
}
