//! The proxies that are measured, as child processes.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use harness::Process;
use harness::procfs;

use crate::process::wait_until_it_listens;

/// Time in which a proxy has to end.
const END: Duration = Duration::from_secs(5);

/// A proxy that runs until it is dropped.
pub(super) struct Proxy {
    process: Process,
    addr: SocketAddr,
    /// Its configuration.
    _folder: Option<tempfile::TempDir>,
}

/// Our gateway.
pub(super) fn gateway(upstream: SocketAddr) -> Result<Proxy> {
    let mut command = Command::new(harness::program()?);
    command
        .args(["gateway", "--listen=127.0.0.1:0", "--log=warn"])
        .arg(format!("--upstream=http://{upstream}"));
    let (process, addr) = Process::start_listening(&mut command)?;
    Ok(Proxy { process, addr, _folder: None })
}

/// improbable's translator.
pub(super) fn grpcwebproxy(program: &Path, upstream: SocketAddr) -> Result<Proxy> {
    let (process, addr) = crate::grpcwebproxy::start(program, upstream)?;
    Ok(Proxy { process, addr, _folder: None })
}

/// nginx with `grpc_pass`, a worker for each core and connections to the upstream that are kept.
pub(super) fn nginx(program: &Path, upstream: SocketAddr) -> Result<Proxy> {
    let folder = tempfile::tempdir()?;
    let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let config = folder.path().join("nginx.conf");
    fs::write(&config, nginx_config(folder.path(), addr, upstream))?;
    let mut command = Command::new(program);
    command.arg("-p").arg(folder.path()).arg("-c").arg(&config).args(["-g", "daemon off;"]);
    let mut process = Process::start_quietly(&mut command)?;
    wait_until_it_listens(&mut process, addr)?;
    Ok(Proxy { process, addr, _folder: Some(folder) })
}

/// The defaults would end an idle stream after a minute, and a connection after 1,000 calls.
fn nginx_config(folder: &Path, addr: SocketAddr, upstream: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "worker_processes auto;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream greeter {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}
    server {{
        listen {addr} http2;
        keepalive_requests 100000000;
        keepalive_time 1h;
        http2_max_concurrent_streams 1024;
        location / {{ grpc_pass grpc://greeter; grpc_read_timeout 1h; }}
    }}
}}
"
    )
}

/// nginx, where Debian has it outside of users' paths too. `None` where it is not.
pub(super) fn found(program: &Path) -> Option<PathBuf> {
    let places = [program.to_owned(), Path::new("/usr/sbin").join(program)];
    places.into_iter().find(|place| version(Command::new(place).arg("-v")).is_some())
}

/// The versions of the peers, in a line.
pub(super) fn versions(grpcwebproxy: Option<&Path>, nginx: Option<&Path>) -> String {
    let nginx = nginx.and_then(|program| version(Command::new(program).arg("-v")));
    let nginx = nginx.unwrap_or_else(|| "without nginx, which is not here".to_owned());
    // It has no flag for its version; the folder that it is installed in has it.
    let grpcwebproxy =
        grpcwebproxy.and_then(|program| Some(program.parent()?.file_name()?.to_string_lossy().into_owned()));
    format!("{}; {nginx}", grpcwebproxy.as_deref().unwrap_or("without grpcwebproxy, which Go installs"))
}

/// The first line that a program prints.
fn version(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().map(str::to_owned)
}

/// nginx ends its workers only when it is told to end.
impl Drop for Proxy {
    fn drop(&mut self) {
        // The rest is killed.
        self.process.terminate(END).ok();
    }
}

impl Proxy {
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// CPU time so far of the process and its workers.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        self.processes()?.into_iter().map(procfs::cpu_time).sum()
    }

    /// Resident memory now of the process and its workers, bytes.
    pub(super) fn resident_bytes(&self) -> Result<u64> {
        self.processes()?.into_iter().map(procfs::resident_bytes).sum()
    }

    fn processes(&self) -> Result<Vec<u32>> {
        let id = self.process.id();
        let children = procfs::children(id)?;
        Ok([id].into_iter().chain(children).collect())
    }
}
