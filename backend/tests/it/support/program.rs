//! The real program with a readable log, started directly or by another program.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};

use proto::health::v1::HealthCheckRequest;
use proto::health::v1::health_check_response::ServingStatus;
use proto::health::v1::health_client::HealthClient;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};

use super::{PATIENCE, command, listening_address};

/// Name of the chat in the health service.
const CHAT: &str = "chat.v1.ChatService";

/// A server with its own folder, as a child process. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Option<Child>,
    addr: SocketAddr,
    channel: Channel,
    dir: TempDir,
}

impl Program {
    /// Starts on a new folder.
    pub(crate) async fn start() -> Self {
        Self::start_by(&[]).await
    }

    /// Starts on a new folder, with the command line of `starter` before the server's.
    pub(crate) async fn start_by(starter: &[&str]) -> Self {
        Self::start_on(TempDir::new().unwrap(), starter).await
    }

    /// Starts on a folder that may contain a `data` folder.
    pub(crate) async fn start_on(dir: TempDir, starter: &[&str]) -> Self {
        let (child, addr, channel) = spawn(dir.path(), starter).await;
        Self { child: Some(child), addr, channel, dir }
    }

    /// Starts again after it ended, on another port.
    pub(crate) async fn restart(&mut self) {
        self.restart_by(&[]).await;
    }

    /// The same with the command line of `starter` before the server's.
    pub(crate) async fn restart_by(&mut self, starter: &[&str]) {
        assert!(self.child.is_none(), "it runs");
        let (child, addr, channel) = spawn(self.dir.path(), starter).await;
        self.child = Some(child);
        self.addr = addr;
        self.channel = channel;
    }

    /// The address that it listens on.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A channel; connects at the first call.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Directory of the database.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A path beside the data folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The process id.
    pub(crate) fn pid(&self) -> Pid {
        let id = self.child.as_ref().and_then(Child::id).expect("it has ended");
        Pid::from_raw(id.try_into().unwrap()).unwrap()
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    /// Sends SIGTERM and waits for the exit status.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let mut child = self.child.take().unwrap();
        timeout(PATIENCE, child.wait()).await.expect("the server did not end in time").unwrap()
    }

    /// The log since the last start.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// The log lines of a level.
    pub(crate) fn log_lines(&self, level: &str) -> Vec<String> {
        self.log().lines().filter(|line| line.contains(&format!(" {level} "))).map(str::to_owned).collect()
    }

    /// The chat's health status.
    pub(crate) async fn chat_health(&self) -> ServingStatus {
        let request = HealthCheckRequest { service: CHAT.to_owned() };
        let answer = HealthClient::new(self.channel()).check(request).await.unwrap().into_inner();
        match answer.status {
            1 => ServingStatus::Serving,
            2 => ServingStatus::NotServing,
            _ => ServingStatus::Unknown,
        }
    }

    /// Runs a command of the program on the same data folder.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        run(arguments, &self.data()).await
    }
}

/// Runs a command of the program on a data folder.
pub(crate) async fn run(arguments: &[&str], data: &Path) -> Output {
    let mut command = command();
    command.args(arguments).arg("--data").arg(data).stderr(std::process::Stdio::piped());
    timeout(PATIENCE, command.output()).await.expect("the command did not end in time").unwrap()
}

async fn spawn(dir: &Path, starter: &[&str]) -> (Child, SocketAddr, Channel) {
    // A server without a page warns of it, soon after it has begun to serve.
    let page = dir.join("page");
    fs::create_dir_all(&page).unwrap();
    fs::write(page.join("index.html"), "<!doctype html><title>A page</title>").unwrap();
    let server = command();
    let server = server.as_std();
    let mut words = starter.iter().map(std::ffi::OsStr::new).chain([server.get_program()]);
    let mut whole = Command::new(words.next().unwrap());
    whole.args(words).args(["--listen=127.0.0.1:0", "--log=info"]);
    whole.arg("--data").arg(dir.join("data")).arg("--page").arg(page);
    for (key, _) in server.get_envs() {
        whole.env_remove(key);
    }
    whole.env("CHINWAG_RATES", "false");
    whole.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).kill_on_drop(true);
    whole.stderr(File::create(dir.join("log")).unwrap());
    let mut child = whole.spawn().unwrap();
    let address = listening_address(&mut child).await;
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    (child, address, channel)
}
