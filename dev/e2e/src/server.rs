//! The real server as a child process, with data of its own.

use std::{
    fs::OpenOptions,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::bail;

use crate::{Result, process::Process, tools};

/// A server that serves the page. It can be killed and started again on the same port and data.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    folder: PathBuf,
    /// Beside those that every server gets.
    flags: Vec<String>,
    process: Process,
}

impl Server {
    /// Starts on a free port and waits until it listens. Data and log go into `folder`.
    pub(crate) fn start(folder: &Path) -> Result<Server> {
        let (process, addr) = spawn(folder, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &[])?;
        Ok(Server { addr, folder: folder.to_owned(), flags: Vec::new(), process })
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> Result {
        self.process.kill()
    }

    /// SIGTERM, and the end that follows; it fails when the server does not say that all is well.
    pub(crate) fn terminate(&mut self) -> Result {
        match self.process.terminate()? {
            true => Ok(()),
            false => bail!("the server ended with an error: {}", self.log()),
        }
    }

    /// One more flag from the next start on.
    pub(crate) fn add_flag(&mut self, flag: String) {
        self.flags.push(flag);
    }

    /// Starts again after [`Self::kill`] or [`Self::terminate`].
    pub(crate) fn restart(&mut self) -> Result {
        (self.process, self.addr) = spawn(&self.folder, self.addr, &self.flags)?;
        Ok(())
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(log_file(&self.folder)).unwrap_or_default()
    }
}

fn spawn(folder: &Path, addr: SocketAddr, flags: &[String]) -> Result<(Process, SocketAddr)> {
    let log = OpenOptions::new().create(true).append(true).open(log_file(folder))?;
    let mut command = Command::new(tools::backend()?);
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("CHINWAG_")) {
        command.env_remove(key);
    }
    command
        .arg(format!("--listen={addr}"))
        // All people of a test share one address, and scripts are quicker than people. A flag wins over this.
        .env("CHINWAG_RATES", "false")
        .arg("--data")
        .arg(folder.join("data"))
        .arg("--page")
        .arg(tools::dist()?)
        .args(["--log", "info"])
        .args(flags)
        .stderr(log);
    Process::start(&mut command, |line| line.strip_prefix("listening on http://")?.parse().ok())
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("server.log")
}
