//! The application's server as a child process: started, killed, stopped and started again on the same port.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use crate::process::{Log, Process};
use crate::{START_TIMEOUT, checkout, procfs};

/// Ignores SIGXFSZ, by which a limit of a file's size would kill the server, and becomes the server: writes beyond the
/// limit then fail as on a full disk.
const WRAPPER: &str = r#"trap '' XFSZ; exec "$0" "$@""#;

/// The server's program: `CHINWAG_BACKEND`, or the one beside this program.
///
/// # Errors
///
/// It is not built.
pub fn program() -> Result<PathBuf> {
    match checkout::file_in("CHINWAG_BACKEND")? {
        Some(path) => Ok(path),
        None => checkout::built_program("chinwag")
            .context("there is no server: `cargo build -p backend`, or name one in CHINWAG_BACKEND"),
    }
}

/// A server with a data folder and a port of its own. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    data: PathBuf,
    addr: SocketAddr,
    flags: Vec<OsString>,
    /// Environment variables beside those of this program.
    environment: Vec<(OsString, OsString)>,
    /// Of all starts.
    log: Log,
    process: Option<Process>,
}

impl Server {
    /// The server of this checkout on the folder `data`, not started. The first start takes a free port.
    ///
    /// All test clients share one address and are quicker than people, so the limits on rates are off. The flag
    /// `--rates` turns them on.
    pub fn new(data: &Path) -> Result<Self> {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Ok(Self {
            program: program()?,
            data: data.to_owned(),
            addr,
            flags: Vec::new(),
            environment: Vec::new(),
            log: Log::default(),
            process: None,
        })
    }

    /// Listens on this address instead of a free port.
    #[must_use]
    pub fn listen(self, addr: SocketAddr) -> Self {
        Self { addr, ..self }
    }

    /// Adds command-line flags.
    #[must_use]
    pub fn flags<I: Into<OsString>>(mut self, flags: impl IntoIterator<Item = I>) -> Self {
        self.add_flags(flags);
        self
    }

    /// Adds command-line flags for the next start.
    pub fn add_flags<I: Into<OsString>>(&mut self, flags: impl IntoIterator<Item = I>) {
        self.flags.extend(flags.into_iter().map(Into::into));
    }

    /// Replaces the environment variables of the next start, beside those of this program.
    pub fn set_environment(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        self.environment = variables.into_iter().collect();
    }

    /// The address that it listens on, after the first start.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The folder of its database.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// `http://` and its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Starts it and waits until it listens. Later starts take the same port.
    pub fn start(&mut self) -> Result<SocketAddr> {
        self.start_within(START_TIMEOUT)
    }

    /// As [`Server::start`], with a time limit of its own.
    pub fn start_within(&mut self, limit: Duration) -> Result<SocketAddr> {
        let (process, addr) =
            Process::start_with_log(&mut self.command(), self.log.clone(), limit, listening)?;
        self.process = Some(process);
        self.addr = addr;
        Ok(addr)
    }

    /// Starts it and does not wait until it listens.
    pub fn spawn(&mut self) -> Result<()> {
        self.process = Some(Process::spawn(&mut self.command(), self.log.clone(), |_| ())?);
        Ok(())
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) -> Result<()> {
        self.process_mut()?.kill()
    }

    /// Sends SIGTERM and waits for a successful end; returns its duration.
    pub fn terminate(&mut self, limit: Duration) -> Result<Duration> {
        let asked = Instant::now();
        let process = self.process_mut()?;
        let status = process.terminate(limit)?;
        ensure!(status.success(), "after SIGTERM the server ended with {status}: {:#?}", process.log());
        Ok(asked.elapsed())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process()?.signal(signal)
    }

    /// Stops its process, which then answers nothing and closes nothing.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Continues after [`Server::pause`].
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Whether it was started and has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::has_ended)
    }

    /// The process id.
    pub fn id(&self) -> Result<u32> {
        Ok(self.process()?.id())
    }

    /// Resident memory, bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        procfs::resident_bytes(self.id()?)
    }

    /// CPU time since its start.
    pub fn cpu_time(&self) -> Result<Duration> {
        procfs::cpu_time(self.id()?)
    }

    /// The newest lines of the log, of all starts.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Number of panics, in all starts.
    pub fn panics(&self) -> u64 {
        self.log.panics()
    }

    fn process(&self) -> Result<&Process> {
        self.process.as_ref().context("the server was not started")
    }

    fn process_mut(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the server was not started")
    }

    fn command(&self) -> Command {
        let mut command = Command::new("/bin/sh");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CHINWAG_"))
        {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("CHINWAG_RATES", "false").args(["-c", WRAPPER]).arg(&self.program);
        command.arg(format!("--listen={}", self.addr)).arg("--data").arg(&self.data).args(&self.flags);
        command
    }
}

/// The address in the line by which a server says that it listens.
pub(crate) fn listening(line: &str) -> Option<SocketAddr> {
    let url = line.strip_prefix("listening on ")?;
    url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?.trim().parse().ok()
}

impl Process {
    /// Starts a program that prints `listening on http://ADDRESS` as the server does.
    pub fn start_listening(command: &mut Command) -> Result<(Self, SocketAddr)> {
        Self::start(command, START_TIMEOUT, listening)
    }
}
