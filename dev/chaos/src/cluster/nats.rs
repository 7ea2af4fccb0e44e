//! One server of NATS as a process.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::disk::Disk;

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
    server: harness::Nats,
    /// The disk of its store, if that is one of its own.
    pub(super) disk: Option<Disk>,
}

impl Nats {
    /// Not started yet. With `disk_bytes` its store is on a disk of its own, where this machine allows that.
    pub(super) fn new(folder: &Path, index: usize, place: &Place, disk_bytes: Option<u64>) -> Result<Self> {
        let name = format!("n{index}");
        let folder = folder.join(&name);
        let store = folder.join("store");
        fs::create_dir_all(&store)?;
        let disk = disk_bytes.map(|bytes| Disk::mount(&store, bytes)).transpose()?.flatten();
        let routes: Vec<_> = place.others.iter().map(|addr| format!("nats://{addr}")).collect();
        let (client, route) = (place.client, place.route);
        // They tell each other no address: everything goes through the relays. Nobody listens at port 1.
        let config = format!(
            "server_name: {name}\nlisten: {client}\n\
             jetstream {{ store_dir: {store:?}, sync_interval: always, max_file_store: 100GB }}\n\
             cluster {{ name: chaos, listen: {route}, no_advertise: true, advertise: \"127.0.0.1:1\", routes: [{}] }}\n",
            routes.join(", ")
        );
        let server = harness::Nats::new(&folder, &config)?;
        Ok(Self { name, server, disk })
    }

    pub(super) fn start(&mut self) -> Result<()> {
        self.server.start()
    }

    /// Sends SIGKILL and waits for the end.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Sends SIGTERM and waits for the end.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.server.stop().with_context(|| format!("{} does not end", self.name))
    }

    pub(super) fn pause(&self) -> Result<()> {
        self.server.signal(Signal::STOP)
    }

    pub(super) fn resume(&self) -> Result<()> {
        self.server.signal(Signal::CONT)
    }

    /// The lines of its log since its last start.
    pub(super) fn log(&self) -> Vec<String> {
        self.server.log()
    }
}
