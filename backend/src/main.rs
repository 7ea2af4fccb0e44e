//! The server program: reads the configuration, binds, announces its address, and serves until a signal. Also runs the
//! database commands.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use backend::config::{GatewayConfig, PortConfig};
use backend::sockets::{CLIENTS, PassedSockets};
use backend::systemd::{self, State};
use backend::{Command, Config, Server, commands, gateway, open_files, shutdown, telemetry};
use tokio::net::TcpListener;

/// glibc's allocator keeps freed memory between live blocks. Half a minute after an attack with 160 connections of 250
/// unread streams, it held 17 times the memory of before, mimalloc 20 times, and jemalloc with the settings in
/// `.cargo/config.toml` 1.4 times. All three use the same CPU time per delivered message.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Command::from_arguments() {
        Command::Serve(config) => serve(*config),
        Command::Gateway(config) => pass_on(*config),
        other => other.run(),
    }
}

fn serve(mut config: Config) -> ExitCode {
    if let Err(refusal) = config.check() {
        refusal.exit();
    }
    telemetry::start(&config.log);
    config.limit_connections(open_files::raise_limit);
    exit_code(serve_chat(config))
}

fn pass_on(mut config: GatewayConfig) -> ExitCode {
    if let Err(refusal) = config.check() {
        refusal.exit();
    }
    telemetry::start(&config.log);
    config.port.limit_connections(&config.limits, open_files::raise_limit);
    exit_code(serve_gateway(config))
}

fn exit_code(served: anyhow::Result<()>) -> ExitCode {
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::write_error(&error);
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve_chat(config: Config) -> anyhow::Result<()> {
    let shutdown = stop_signal()?;
    let mut sockets = PassedSockets::of_process()?;
    let listener = listen(&mut sockets, &config.port)?;
    let server = Server::open(config, sockets).await?;
    announce(server.port(), &listener)?;
    tokio::spawn(systemd::tell_life());
    server.serve(listener, shutdown).await
}

#[tokio::main]
async fn serve_gateway(config: GatewayConfig) -> anyhow::Result<()> {
    let shutdown = stop_signal()?;
    let listener = listen(&mut PassedSockets::of_process()?, &config.port)?;
    announce(&config.port, &listener)?;
    tokio::spawn(systemd::tell_life());
    gateway::serve(listener, config, shutdown).await
}

fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let signal = shutdown::signal().context("cannot listen for signals")?;
    Ok(async move {
        signal.await;
        systemd::tell(State::Stopping);
    })
}

fn listen(sockets: &mut PassedSockets, port: &PortConfig) -> anyhow::Result<TcpListener> {
    sockets.listen(&CLIENTS, Some(port.listen))?.context("there is no port for clients")
}

/// Tells that the program listens: systemd, and by the one line on standard output. Programs that start the server wait for it and read the port from it.
fn announce(port: &PortConfig, listener: &TcpListener) -> anyhow::Result<()> {
    let scheme = if port.is_https() { "https" } else { "http" };
    let address = listener.local_addr()?;
    let mut out = io::stdout().lock();
    let written = writeln!(out, "listening on {scheme}://{address}").and_then(|()| out.flush());
    written.context("cannot write to standard output")?;
    systemd::tell(State::Ready);
    Ok(())
}
