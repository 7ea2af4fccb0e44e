//! `grpcwebproxy`, the server side of two of the peers.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::Process;

/// Time in which it has to listen.
const START: Duration = Duration::from_secs(10);

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
    let deadline = Instant::now() + START;
    while TcpStream::connect(addr).is_err() {
        ensure!(
            !process.has_ended() && Instant::now() < deadline,
            "grpcwebproxy does not listen: {:#?}",
            process.log()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok((process, addr))
}
