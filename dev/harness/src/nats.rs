//! A server of NATS as a child process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::{Process, checkout, procfs};

/// Time limit of a graceful shutdown.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A server of NATS, which keeps its folder over restarts. Dropping it kills it.
#[derive(Debug)]
pub struct Nats {
    program: PathBuf,
    config: PathBuf,
    process: Option<Process>,
}

impl Nats {
    /// Not started yet. Its configuration, `config`, is written into `folder`. `CHINWAG_NATS` names the program.
    pub fn new(folder: &Path, config: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let file = folder.join("nats.conf");
        fs::write(&file, config)?;
        let program = checkout::file_in("CHINWAG_NATS")?.unwrap_or_else(|| "nats-server".into());
        Ok(Self { program, config: file, process: None })
    }

    /// Starts it, and does not wait until it listens.
    ///
    /// # Errors
    ///
    /// The program is not there.
    pub fn start(&mut self) -> Result<()> {
        let process = Process::start_quietly(Command::new(&self.program).arg("-c").arg(&self.config));
        self.process = Some(process.context(
            "there is no nats-server: name its program in CHINWAG_NATS (`cargo xtask test` installs it)",
        )?);
        Ok(())
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) -> Result<()> {
        self.process_mut()?.kill()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) -> Result<()> {
        self.process_mut()?.terminate(STOP_TIMEOUT).map(drop)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process()?.signal(signal)
    }

    /// The lines of its log since its last start.
    pub fn log(&self) -> Vec<String> {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Resident memory, bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        procfs::resident_bytes(self.process()?.id())
    }

    fn process(&self) -> Result<&Process> {
        self.process.as_ref().context("this server of NATS was not started")
    }

    fn process_mut(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("this server of NATS was not started")
    }
}
