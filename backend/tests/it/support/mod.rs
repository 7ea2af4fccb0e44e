//! Servers for tests: in this process, or as a child process that can be killed and restarted.

#[cfg(feature = "cluster")]
pub(crate) mod cluster;
pub(crate) mod http;
#[cfg(feature = "cluster")]
pub(crate) mod nats;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod program;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backend::Config;
use clap::Parser as _;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};

/// Time limit for every step of a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server in this process on a free port, with its own directories, which are deleted with it.
#[derive(Debug)]
pub(crate) struct TestServer {
    pub(crate) addr: SocketAddr,
    dir: TempDir,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl TestServer {
    /// Starts with the defaults, except that rate limits are off, because tests create load on purpose.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same with a configuration modified by `change`. The page's directory exists and is empty.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = TempDir::new().unwrap();
        let mut config = Config::parse_from(["backend"]);
        config.data = dir.path().join("data");
        let page = dir.path().join("page");
        std::fs::create_dir(&page).unwrap();
        config.page = Some(page);
        config.rates.rates = false;
        change(&mut config);

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            // A dropped sender stops the server too.
            stopped.await.ok();
        };
        let task = tokio::spawn(backend::serve(listener, config, shutdown));
        Self { addr, dir, stop, task }
    }

    /// Directory of the page.
    pub(crate) fn page_dir(&self) -> PathBuf {
        self.dir.path().join("page")
    }

    /// Directory of the database.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The server's address for a client.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A new native channel; connects at the first call.
    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(self.url()).unwrap().connect_lazy()
    }

    /// Shuts the server down, waits for it, and deletes the directories.
    pub(crate) async fn shutdown(self) {
        self.shutdown_keeping_data().await;
    }

    /// Shuts the server down and waits for it; returns its directories.
    pub(crate) async fn shutdown_keeping_data(self) -> TempDir {
        let Self { dir, stop, task, .. } = self;
        drop(stop);
        timeout(PATIENCE, task).await.expect("the server did not stop in time").unwrap().unwrap();
        dir
    }
}

/// The real program as a child process. Killed when dropped.
#[derive(Debug)]
pub(crate) struct ChildServer {
    pub(crate) addr: SocketAddr,
    dir: TempDir,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl ChildServer {
    /// Starts on a free port with its own directories, and waits until it listens.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more flags. A restart does not have them.
    pub(crate) async fn start_with(flags: &[String]) -> Self {
        Self::start_as(command(), flags).await
    }

    /// The same in a process with a limit of `files` open files.
    #[cfg(unix)]
    pub(crate) async fn start_with_files(files: u32, flags: &[String]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\""), PROGRAM]);
        Self::start_as(prepare(shell), flags).await
    }

    /// The same with environment variables. A restart does not have them.
    pub(crate) async fn start_with_env(env: &[(&str, &str)]) -> Self {
        let mut command = command();
        command.envs(env.iter().copied());
        Self::start_as(command, &[]).await
    }

    async fn start_as(mut command: Command, flags: &[String]) -> Self {
        command.stderr(Stdio::piped());
        let dir = TempDir::new().unwrap();
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (mut child, addr) = spawn(command, dir.path(), addr, flags).await;
        let log = Arc::<Mutex<Vec<String>>>::default();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        tokio::spawn({
            let log = Arc::clone(&log);
            async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    log.lock().unwrap().push(line);
                }
            }
        });
        Self { addr, dir, child, log }
    }

    /// The lines that the server has logged, until a restart.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Resident memory of the process, bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// The server's address for a client.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A new native channel; connects at the first call, and again after a restart.
    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(self.url()).unwrap().connect_lazy()
    }

    /// Directory of the page.
    pub(crate) fn page_dir(&self) -> PathBuf {
        self.dir.path().join("page")
    }

    /// Directory of the database.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the server has ended already")
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends SIGTERM and waits for the exit status.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.send(Signal::TERM);
        self.exit_status().await
    }

    /// Sends a signal.
    pub(crate) fn send(&self, signal: Signal) {
        let pid = self.child.id().expect("the server has ended already");
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until the process has ended.
    pub(crate) async fn exit_status(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("the server did not end in time").unwrap()
    }

    /// Starts again with the same data and port, after [`Self::kill`] or [`Self::terminate`], and waits until it listens.
    pub(crate) async fn restart(&mut self) {
        let (child, addr) = spawn(command(), self.dir.path(), self.addr, &[]).await;
        assert_eq!(addr, self.addr);
        self.child = child;
    }
}

async fn spawn(mut command: Command, dir: &Path, addr: SocketAddr, flags: &[String]) -> (Child, SocketAddr) {
    let mut child = command
        .arg(format!("--listen={addr}"))
        .arg("--data")
        .arg(dir.join("data"))
        .arg("--page")
        .arg(dir.join("page"))
        .args(["--log", "warn"])
        // Tests create load on purpose. A flag overrides this.
        .env("CHINWAG_RATES", "false")
        .args(flags)
        .spawn()
        .unwrap();
    let addr = listening_address(&mut child).await;
    (child, addr)
}

/// The real program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_chinwag");

/// The real program without inherited configuration, its output piped.
pub(crate) fn command() -> Command {
    prepare(Command::new(PROGRAM))
}

pub(crate) fn prepare(mut command: Command) -> Command {
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("CHINWAG_") {
            command.env_remove(key);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// Waits for the address that a program started by [`command`] announces.
pub(crate) async fn listening_address(child: &mut Child) -> SocketAddr {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line =
        timeout(PATIENCE, lines.next_line()).await.expect("the server did not listen in time").unwrap();
    let line = line.expect("the server ended without listening");
    let address = line.strip_prefix("listening on http://").or(line.strip_prefix("listening on https://"));
    address.expect("an unknown first line").parse().unwrap()
}
