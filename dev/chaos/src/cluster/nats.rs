//! One server of NATS as a process.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use harness::Process;
use rustix::process::Signal;

use crate::disk::Disk;

/// Time limit of a graceful shutdown.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Its place in the cluster.
#[derive(Debug)]
pub(super) struct Place {
    /// The address for clients.
    pub(super) client: SocketAddr,
    /// The address for the other servers.
    pub(super) route: SocketAddr,
    /// The addresses at which it reaches those.
    pub(super) others: Vec<SocketAddr>,
}

/// A server of NATS. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Nats {
    pub(super) name: String,
    program: PathBuf,
    config: PathBuf,
    process: Option<Process>,
    /// The disk of its store, if that is one of its own.
    pub(super) disk: Option<Disk>,
}

impl Nats {
    /// Not started yet. With `disk_bytes` its store is on a disk of its own, where this machine allows that.
    pub(super) fn new(
        program: &Path,
        folder: &Path,
        index: usize,
        place: &Place,
        disk_bytes: Option<u64>,
    ) -> Result<Self> {
        let name = format!("n{index}");
        let folder = folder.join(&name);
        let store = folder.join("store");
        fs::create_dir_all(&store)?;
        let disk = disk_bytes.map(|bytes| Disk::mount(&store, bytes)).transpose()?.flatten();
        let routes: Vec<_> = place.others.iter().map(|addr| format!("nats://{addr}")).collect();
        let (client, route) = (place.client, place.route);
        // They tell each other no address: everything goes through the relays. Nobody listens at port 1.
        let text = format!(
            "server_name: {name}\nlisten: {client}\n\
             jetstream {{ store_dir: {store:?}, sync_interval: always, max_file_store: 100GB }}\n\
             cluster {{ name: chaos, listen: {route}, no_advertise: true, advertise: \"127.0.0.1:1\", routes: [{}] }}\n",
            routes.join(", ")
        );
        let config = folder.join("nats.conf");
        fs::write(&config, text)?;
        Ok(Self { name, program: program.to_owned(), config, process: None, disk })
    }

    pub(super) fn start(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(&self.config);
        self.process = Some(Process::start_quietly(&mut command)?);
        Ok(())
    }

    fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("this server of NATS was not started")
    }

    /// Sends SIGKILL and waits for the end.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.process()?.kill()
    }

    /// Sends SIGTERM and waits for the end.
    pub(super) fn stop(&mut self) -> Result<()> {
        match self.process()?.terminate(STOP_TIMEOUT) {
            Ok(_) => Ok(()),
            Err(error) => bail!("{} does not end: {error:#}", self.name),
        }
    }

    pub(super) fn pause(&mut self) -> Result<()> {
        self.process()?.signal(Signal::STOP)
    }

    pub(super) fn resume(&mut self) -> Result<()> {
        self.process()?.signal(Signal::CONT)
    }

    /// The lines of its log since its last start.
    pub(super) fn log(&self) -> Vec<String> {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }
}
