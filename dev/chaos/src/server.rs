//! The real server as a child process: started, killed, stopped, and given less than it needs.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// What the server is started with beside its address and folders. Limits on how much one person or one address may
/// send belong here, switched off: the senders send as fast as they can.
const FLAGS: &[&str] = &["--log", "warn", "--rates=false"];

/// How long a start may take until the server listens.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the server may take to end after SIGTERM, with hostile clients connected.
const STOP_TIMEOUT: Duration = Duration::from_secs(6);
/// Lines of the server's log that are kept for the report of a failure.
const KEPT_LINES: usize = 60;

/// Ignores SIGXFSZ, which a limit of a file's size would kill the server with, and becomes the server: writes then
/// fail as they do on a full disk.
const WRAPPER: &str = r#"trap '' XFSZ; exec "$0" "$@""#;

/// A server on a port and a folder of its own. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    binary: PathBuf,
    folder: PathBuf,
    pub(crate) addr: SocketAddr,
    child: Option<Child>,
    log: Arc<Mutex<Log>>,
}

/// The newest lines of the server's log.
#[derive(Debug, Default)]
struct Log {
    lines: VecDeque<String>,
    panics: u64,
}

impl Server {
    /// Not started yet. `folder` holds its data.
    pub(crate) fn new(binary: &Path, folder: &Path, addr: SocketAddr) -> Self {
        let (binary, folder) = (binary.to_owned(), folder.to_owned());
        Self { binary, folder, addr, child: None, log: Arc::default() }
    }

    /// The same program on another folder and a free port.
    pub(crate) fn another(&self, folder: &Path) -> Self {
        Self::new(&self.binary, folder, SocketAddr::new(self.addr.ip(), 0))
    }

    /// Starts it and waits until it listens; gives where.
    pub(crate) async fn start(&mut self) -> Result<SocketAddr> {
        let stdout = self.spawn()?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(START_TIMEOUT, lines.next_line()).await;
        let line = line.with_context(|| format!("the server does not listen after {START_TIMEOUT:?}"))??;
        let line = line.context("the server ended instead of listening")?;
        let addr =
            line.strip_prefix("listening on http://").context("the server does not say where it listens")?;
        Ok(addr.trim().parse()?)
    }

    /// Starts it and kills it after `life`, wherever it is then.
    pub(crate) async fn start_and_kill(&mut self, life: Duration) -> Result<()> {
        let _stdout = self.spawn()?;
        tokio::time::sleep(life).await;
        self.kill().await
    }

    fn spawn(&mut self) -> Result<impl AsyncRead + use<>> {
        let mut command = Command::new("/bin/sh");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CHINWAG_"))
        {
            command.env_remove(name);
        }
        command.arg("-c").arg(WRAPPER).arg(&self.binary).arg(format!("--listen={}", self.addr));
        command.arg("--data").arg(self.folder.join("data")).arg("--page").arg(self.folder.join("page"));
        command
            .args(FLAGS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().context("cannot start the server")?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let stderr = child.stderr.take().context("its log is piped")?;
        tokio::spawn(keep_log(stderr, self.log.clone()));
        self.child = Some(child);
        Ok(stdout)
    }

    /// SIGKILL; waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// SIGTERM; how long it took to end. An error when it does not end, or does not say that all is well.
    pub(crate) async fn terminate(&mut self) -> Result<Duration> {
        self.signal(Signal::TERM)?;
        let told = Instant::now();
        let Some(mut child) = self.child.take() else { bail!("the server does not run") };
        let ended = timeout(STOP_TIMEOUT, child.wait()).await;
        let status =
            ended.with_context(|| format!("the server runs still {STOP_TIMEOUT:?} after SIGTERM"))??;
        ensure!(status.success(), "after SIGTERM the server ended with {status}");
        Ok(told.elapsed())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.pid()?, signal)?)
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// No file of the server's grows beyond `bytes`; without a number, as far as the system allows.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        self.limit(Resource::Fsize, "Max file size", bytes)
    }

    /// The server gets no descriptor with a number from `count` on; without a number, as many as the system allows.
    pub(crate) fn limit_descriptors(&self, count: Option<u64>) -> Result<()> {
        self.limit(Resource::Nofile, "Max open files", count)
    }

    /// Only the soft limit, which can be raised again without being root.
    fn limit(&self, resource: Resource, name: &str, soft: Option<u64>) -> Result<()> {
        let maximum = hard_limit(self.pid()?, name)?;
        let limit = Rlimit { current: soft.or(maximum), maximum };
        prlimit(Some(self.pid()?), resource, limit).context("cannot limit the server")?;
        Ok(())
    }

    /// How many descriptors the server has open.
    pub(crate) fn descriptors(&self) -> Result<u64> {
        let folder = format!("/proc/{}/fd", self.pid()?.as_raw_nonzero());
        Ok(std::fs::read_dir(folder)?.count() as u64)
    }

    /// How long the database's write-ahead log is, bytes.
    pub(crate) fn log_bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.folder.join("data")).into_iter().flatten().flatten();
        let wal = files.filter(|file| file.file_name().to_string_lossy().ends_with("-wal"));
        wal.filter_map(|file| file.metadata().ok()).map(|data| data.len()).max().unwrap_or(0)
    }

    /// How much memory the server holds, bytes.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid().ok()?.as_raw_nonzero())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib * 1024)
    }

    /// How often the server has panicked.
    pub(crate) fn panics(&self) -> u64 {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).panics
    }

    /// The newest lines of its log.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).lines.iter().cloned().collect()
    }

    fn pid(&self) -> Result<Pid> {
        let id = self.child.as_ref().and_then(Child::id).context("the server does not run")?;
        Pid::from_raw(id.try_into()?).context("a process has a number")
    }
}

/// The hard limit of a process, by its name in `/proc`; none is "unlimited".
fn hard_limit(pid: Pid, name: &str) -> Result<Option<u64>> {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero()))?;
    let values = limits.lines().find_map(|line| line.strip_prefix(name));
    let values = values.with_context(|| format!("/proc does not know the limit `{name}`"))?;
    Ok(values.split_whitespace().nth(1).and_then(|hard| hard.parse().ok()))
}

async fn keep_log(stderr: impl AsyncRead + Unpin, log: Arc<Mutex<Log>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.panics += u64::from(line.contains("panicked at"));
        if log.lines.len() == KEPT_LINES {
            log.lines.pop_front();
        }
        log.lines.push_back(line);
    }
}
