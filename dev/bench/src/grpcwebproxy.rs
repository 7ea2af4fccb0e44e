//! `grpcwebproxy`, the server side of two of the channel's peers, and a peer of the gateway.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use harness::Process;

use crate::process::wait_until_it_listens;

/// Largest message of a client, bytes: more than any that is measured.
const MAX_MESSAGE: u32 = 16 * 1024 * 1024;

/// Starts `program` in front of the server at `backend`. It runs until the process is dropped.
pub(crate) fn start(program: &Path, backend: SocketAddr) -> Result<(Process, SocketAddr)> {
    // It tells no port that it has chosen itself.
    let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let mut command = Command::new(program);
    command
        .arg(format!("--backend_addr={backend}"))
        .args(["--run_tls_server=false", "--use_websockets", "--allow_all_origins"])
        .arg(format!("--websocket_read_limit={MAX_MESSAGE}"))
        // It would cut streams off after ten seconds.
        .args(["--server_http_max_read_timeout=1h", "--server_http_max_write_timeout=1h"])
        .arg("--server_bind_address=127.0.0.1")
        .arg(format!("--server_http_debug_port={}", addr.port()));
    let mut process = Process::start_quietly(&mut command)?;
    wait_until_it_listens(&mut process, addr)?;
    Ok((process, addr))
}
