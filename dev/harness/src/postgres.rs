//! A server of PostgreSQL as child processes.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use crate::Process;
use crate::postgres_programs::postgres_programs;
use crate::temp_folder::TempFolder;

/// Time limit of a start, with what is to be recovered, and of an end.
const LIMIT: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// A server of PostgreSQL with a database of its own, which keeps its folder over restarts. It syncs as it does by default. Dropping it
/// kills it.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    address: SocketAddr,
    /// The user and the group that run it: it refuses to run as root.
    user: Option<(u32, u32)>,
    process: Option<Process>,
    // Removed when the server has ended. No other user can enter the folders of a test that runs as root.
    folder: TempFolder,
}

impl Postgres {
    /// Makes the database, and does not start the server yet. `CHINWAG_POSTGRES` names the folder of the programs; without it, that of
    /// Debian's newest version is taken.
    ///
    /// # Errors
    ///
    /// There are no such programs.
    pub fn new(address: SocketAddr) -> Result<Self> {
        let programs = postgres_programs()?;
        let folder = TempFolder::new()?;
        let user = user(fs::metadata(folder.path())?.uid())?;
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let server = Self { programs, address, user, process: None, folder };
        // The files of an empty database need no sync; everything that is stored later has it, as by default.
        let flags = ["--auth=trust", "--username=chat", "--encoding=UTF8", "--no-locale", "--no-sync"];
        let made = server.command("initdb").args(flags).output()?;
        ensure!(made.status.success(), "initdb said {}", String::from_utf8_lossy(&made.stderr));
        Ok(server)
    }

    /// The address of its database.
    pub fn url(&self) -> String {
        format!("postgres://chat@{}/postgres", self.address)
    }

    /// Starts it, and does not wait until it answers.
    pub fn start(&mut self) -> Result<()> {
        let flags = format!(
            "listen_addresses={} port={} unix_socket_directories=",
            self.address.ip(),
            self.address.port()
        );
        let flags: Vec<_> = flags.split(' ').flat_map(|flag| ["-c", flag]).collect();
        self.process = Some(Process::start_quietly(self.command("postgres").args(flags))?);
        Ok(())
    }

    /// Starts a program that receives and syncs all that the server writes, as a standby does. Its name is `pg_receivewal`.
    pub fn start_standby(&self) -> Result<Process> {
        let mut command = self.program("pg_receivewal");
        let folder = self.folder.path().join("standby");
        fs::create_dir_all(&folder)?;
        if let Some((user, group)) = self.user {
            chown(&folder, Some(user), Some(group))?;
        }
        command.arg("-D").arg(folder).args(["--synchronous", "--no-password", "-U", "chat"]);
        command.args(["-h", &self.address.ip().to_string(), "-p", &self.address.port().to_string()]);
        Process::start_quietly(&mut command)
    }

    /// Waits until it takes connections.
    pub fn answers(&self) -> Result<()> {
        let give_up = Instant::now() + LIMIT;
        let port = self.address.port().to_string();
        loop {
            let ready = Command::new(self.programs.join("pg_isready"))
                .args(["-q", "-h", &self.address.ip().to_string(), "-p", &port])
                .status()?;
            if ready.success() {
                return Ok(());
            }
            ensure!(Instant::now() < give_up, "PostgreSQL does not answer: {:#?}", self.log());
            thread::sleep(LOOK);
        }
    }

    /// Ends all its processes as a crash does, and waits for the end. The next start has to recover.
    pub fn crash(&mut self) -> Result<()> {
        self.end(Signal::QUIT)
    }

    /// Stops it in order, without waiting for its clients.
    pub fn stop(&mut self) -> Result<()> {
        self.end(Signal::INT)
    }

    /// The lines of its log since its last start.
    pub fn log(&self) -> Vec<String> {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        let process = self.process.as_mut().context("this server of PostgreSQL was not started")?;
        process.signal(signal)?;
        let give_up = Instant::now() + LIMIT;
        while !process.has_ended() {
            ensure!(Instant::now() < give_up, "PostgreSQL does not end");
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// A program on the server's folder.
    fn command(&self, program: &str) -> Command {
        let mut command = self.program(program);
        command.arg("-D").arg(self.folder.path().join("data"));
        command
    }

    /// A program by the server's user.
    fn program(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path());
        command.stdin(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

/// The user of Debian's package, if this is root.
fn user(own: u32) -> Result<Option<(u32, u32)>> {
    if own != 0 {
        return Ok(None);
    }
    let id = |flag: &str| {
        let output = Command::new("id").args([flag, "postgres"]).output()?;
        let id = String::from_utf8(output.stdout)?;
        id.trim().parse().context("there is no user postgres")
    };
    Ok(Some((id("-u")?, id("-g")?)))
}
