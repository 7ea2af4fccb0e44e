//! The servers that are measured, as child processes.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::{Process, Server};

/// Time in which a server has to listen.
const START: Duration = Duration::from_secs(10);

/// The application's server with its database in `data`.
pub(crate) fn backend(data: &Path) -> Result<Server> {
    let mut server = Server::new(data)?.flags(["--log=warn"]);
    server.start()?;
    Ok(server)
}

/// This program again, as another server.
pub(crate) fn own_server(arguments: &[&str]) -> Result<(Process, SocketAddr)> {
    Process::start_listening(Command::new(std::env::current_exe()?).args(arguments))
}

/// Waits for a server that does not tell when it listens.
pub(crate) fn wait_until_it_listens(process: &mut Process, addr: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + START;
    while TcpStream::connect(addr).is_err() {
        let is_late = process.has_ended() || Instant::now() > deadline;
        ensure!(!is_late, "nothing listens on {addr}: {:#?}", process.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Number of cores and processor, in a line.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|info| {
        let line = info.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    format!("{} cores, {}", cores, model.as_deref().unwrap_or("unknown processor"))
}

/// The load of the machine in the last minute.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}
