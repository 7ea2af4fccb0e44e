//! A server of NATS with JetStream as a child process. The unit tests have this file, too.
//!
//! `CHINWAG_NATS` names its program; `cargo xtask test` installs it by Go. Without it the tests say that they are skipped.

use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::path::PathBuf;
use std::process::{Command as StdCommand, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Time limit for a start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// The server. Killed when dropped.
#[derive(Debug)]
pub(crate) struct NatsServer {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    /// The monitoring address.
    monitoring: u16,
    /// Lines of its configuration beside its addresses and its store.
    config: String,
    child: Option<Child>,
}

/// The program, where it is.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("CHINWAG_NATS").map_or_else(|| "nats-server".into(), PathBuf::from);
    let runs = StdCommand::new(&named).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = runs.is_ok_and(|status| status.success()).then_some(named);
    if found.is_none() {
        eprintln!("skipped: there is no nats-server; name its program in CHINWAG_NATS");
    }
    found
}

fn free_port() -> u16 {
    StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl NatsServer {
    /// Starts it with an empty folder. `None` where it is not there.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(String::new()).await
    }

    /// Starts it with these lines in its configuration.
    pub(crate) async fn start_with(config: String) -> Option<Self> {
        let program = program()?;
        let [port, monitoring] = [free_port(), free_port()];
        let folder = TempDir::new().unwrap();
        let mut server = Self { program, folder, port, monitoring, config, child: None };
        server.start_again().await;
        Some(server)
    }

    /// Starts it with the folder and the ports that it had.
    pub(crate) async fn start_again(&mut self) {
        let config = format!(
            "listen: 127.0.0.1:{}\nhttp: 127.0.0.1:{}\njetstream {{ store_dir: {:?}, sync_interval: always }}\n{}\n",
            self.port,
            self.monitoring,
            self.folder.path().join("store"),
            self.config,
        );
        let file = self.folder.path().join("nats.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(file).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        self.child = Some(command.spawn().unwrap());
        let opened = async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(START_TIMEOUT, opened).await.expect("nats-server does not listen in time");
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn monitoring_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitoring)
    }
}
