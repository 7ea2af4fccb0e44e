//! The program as a gateway to another server.

use std::net::SocketAddr;
use std::process::Command;

use harness::Process;

use crate::{Result, files::dist};

/// Starts a gateway that serves the page, too, and waits until it listens. `server`: its flag `--upstream=…` or `--route=…`.
pub fn start_gateway(server: &str) -> Result<(Process, SocketAddr)> {
    let mut gateway = Command::new(harness::program()?);
    gateway.args(["gateway", "--listen=127.0.0.1:0", "--page"]).arg(dist()?).arg(server);
    Process::start_listening(&mut gateway)
}
