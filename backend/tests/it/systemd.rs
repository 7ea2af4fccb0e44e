//! The real program under something that plays systemd: an inherited socket, and a socket for its messages.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command as StdCommand, Stdio};

use http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::UnixDatagram as Messages;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::http::get;
use crate::support::{PATIENCE, command, listening_address, prepare};

/// Makes standard input the first passed socket, as systemd numbers them, and becomes the program in the same process.
const PASS: &str =
    r#"exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS; exec "$0" "$@""#;

/// A folder with the socket for messages.
struct Manager {
    folder: TempDir,
    messages: Messages,
}

impl Manager {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let messages = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        messages.set_nonblocking(true).unwrap();
        Self { messages: Messages::from_std(messages).unwrap(), folder }
    }

    /// Starts the program as a unit with `Type=notify` does.
    fn start(&self, mut command: Command, flags: &[&str]) -> Child {
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command.arg("--data").arg(self.folder.path().join("data")).args(flags).spawn().unwrap()
    }

    async fn message(&self) -> String {
        let mut message = vec![0; 1024];
        let length = timeout(PATIENCE, self.messages.recv(&mut message)).await.expect("no message in time");
        message.truncate(length.unwrap());
        String::from_utf8(message).unwrap().trim().to_owned()
    }
}

/// The program with a passed socket of this name.
fn with_socket(socket: TcpListener, name: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", PASS, env!("CARGO_BIN_EXE_chinwag")]);
    let mut command = prepare(shell);
    command.env("LISTEN_FDNAMES", name).stdin(Stdio::from(OwnedFd::from(socket)));
    command
}

async fn terminate(mut child: Child) {
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ended = timeout(PATIENCE, child.wait()).await.expect("it does not end").unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn states_are_told_in_their_order() {
    let manager = Manager::new();
    let mut child = manager.start(command(), &["--listen=127.0.0.1:0"]);
    assert_eq!(manager.message().await, "READY=1");
    // It listens by then.
    let addr = listening_address(&mut child).await;
    assert_eq!(get(addr, "/readyz", &[]).await.status, StatusCode::OK);
    terminate(child).await;
    assert_eq!(manager.message().await, "STOPPING=1");
}

#[tokio::test]
async fn life_is_told_again_and_again_to_a_watchdog() {
    let manager = Manager::new();
    let mut command = command();
    command.env("WATCHDOG_USEC", "200000");
    let child = manager.start(command, &["--listen=127.0.0.1:0"]);
    assert_eq!(manager.message().await, "READY=1");
    for _ in 0..3 {
        assert_eq!(manager.message().await, "WATCHDOG=1");
    }
    terminate(child).await;
}

#[tokio::test]
async fn passed_socket_is_served_in_the_place_of_the_configured_port() {
    let manager = Manager::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let passed = socket.local_addr().unwrap();
    let mut child = manager.start(with_socket(socket, "chinwag.socket"), &["--listen=127.0.0.1:1"]);
    assert_eq!(listening_address(&mut child).await, passed);
    assert_eq!(get(passed, "/readyz", &[]).await.status, StatusCode::OK);
    terminate(child).await;
}

#[tokio::test]
async fn passed_socket_of_operators_has_the_metrics() {
    let manager = Manager::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let passed = socket.local_addr().unwrap();
    let mut child = manager.start(with_socket(socket, "admin"), &["--listen=127.0.0.1:0"]);
    assert_ne!(listening_address(&mut child).await, passed);
    assert!(get(passed, "/metrics", &[]).await.text().contains("# HELP"));
    terminate(child).await;
}

#[tokio::test]
async fn passed_socket_for_redirects_needs_a_certificate() {
    let manager = Manager::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = with_socket(socket, "redirect-http");
    command.stderr(Stdio::piped());
    let child = manager.start(command, &["--listen=127.0.0.1:0"]);
    let ended = timeout(PATIENCE, child.wait_with_output()).await.expect("it runs").unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let error = String::from_utf8(ended.stderr).unwrap();
    assert!(error.contains("redirect-http") && error.contains("--tls-certificate"), "{error}");
}

#[test]
fn units_are_valid_where_systemd_can_say_so() {
    let Ok(version) = StdCommand::new("systemd-analyze").arg("--version").output() else {
        eprintln!("skipped: there is no systemd-analyze");
        return;
    };
    assert!(version.status.success());
    let folder = TempDir::new().unwrap();
    let units = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/deploy");
    let files = ["chinwag.service", "chinwag.socket", "chinwag-redirect.socket"].map(|name| {
        let unit = std::fs::read_to_string(format!("{units}/{name}")).unwrap();
        // It has to exist.
        let unit = unit.replace("/usr/local/bin/chinwag", env!("CARGO_BIN_EXE_chinwag"));
        let file = folder.path().join(name);
        std::fs::write(&file, unit).unwrap();
        file
    });
    let verified = StdCommand::new("systemd-analyze").arg("verify").args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let ours: Vec<_> = said.lines().filter(|line| line.contains("chinwag")).collect();
    assert!(ours.is_empty(), "{said}");
    assert!(verified.status.success() || ours.is_empty(), "{said}");
}
