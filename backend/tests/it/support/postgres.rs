//! A server of PostgreSQL as a child process. The unit tests have this file, too.
//!
//! `CHINWAG_POSTGRES` names the folder of its programs. Without it, that of Debian's newest version is taken. Where there is none, the
//! tests say that they are skipped.

use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command as StdCommand, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Time limit for a start, with what is to be recovered.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The folder of Debian's versions.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The server. Killed when dropped.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    /// The user and the group that run it: it refuses to run as root.
    user: Option<(u32, u32)>,
    child: Option<Child>,
}

/// The folder of the programs, where they are.
fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("CHINWAG_POSTGRES").map(PathBuf::from);
    let versions = || {
        let folders = std::fs::read_dir(DEBIAN).ok()?.flatten().map(|entry| entry.path());
        let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
        Some(folders.max_by_key(version)?.join("bin"))
    };
    let found = named.or_else(versions).filter(|folder| folder.join("initdb").exists());
    if found.is_none() {
        eprintln!("skipped: there is no PostgreSQL; name the folder of its programs in CHINWAG_POSTGRES");
    }
    found
}

/// The user of Debian's package, if the tests run as root.
fn user(folder: &Path) -> Option<(u32, u32)> {
    if std::fs::metadata(folder).unwrap().uid() != 0 {
        return None;
    }
    let id = |flag: &str| {
        let output = StdCommand::new("id").args([flag, "postgres"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().expect("there is no user postgres")
    };
    Some((id("-u"), id("-g")))
}

impl PostgresServer {
    /// Starts it with an empty database. `None` where it is not there.
    pub(crate) async fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = TempDir::new().unwrap();
        let user = user(folder.path());
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let port = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { programs, folder, port, user, child: None };
        // The files of an empty database need no sync; everything that is stored later has it, as by default.
        let flags = ["--auth=trust", "--username=chat", "--encoding=UTF8", "--no-locale", "--no-sync"];
        let made = server.command("initdb").args(flags).status().await.unwrap();
        assert!(made.success(), "initdb: {made}");
        server.start_again().await;
        Some(server)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.arg("-D").arg(self.folder.path().join("data")).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts it with the folder and the port that it had.
    pub(crate) async fn start_again(&mut self) {
        let begun = async {
            while !self.answers().await {
                // One that was dropped may have left processes behind, beside which it does not start.
                let has_ended = self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
                if has_ended {
                    let flags =
                        format!("listen_addresses=127.0.0.1 port={} unix_socket_directories=", self.port);
                    let flags = flags.split(' ').flat_map(|flag| ["-c", flag]);
                    self.child =
                        Some(self.command("postgres").args(flags).kill_on_drop(true).spawn().unwrap());
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(START_TIMEOUT, begun).await.expect("PostgreSQL does not answer in time");
    }

    /// Whether it takes connections: it listens some time before.
    async fn answers(&self) -> bool {
        let ready = Command::new(self.programs.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status();
        ready.await.unwrap().success()
    }

    /// Ends all its processes at once, as a crash does. A signal to the first one would leave the others to answer for a moment.
    pub(crate) async fn crash(&mut self) {
        let stopped = self.command("pg_ctl").args(["stop", "-m", "immediate"]).status().await.unwrap();
        assert!(stopped.success(), "pg_ctl: {stopped}");
        self.child.take().unwrap().wait().await.unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://chat@127.0.0.1:{}/postgres", self.port)
    }
}
