//! The server's program: reads the configuration, binds, says where it listens, serves until a signal.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use backend::{Config, Server, shutdown, telemetry};
use clap::Parser as _;
use tokio::net::TcpListener;

fn main() -> ExitCode {
    let config = Config::parse();
    if let Err(refusal) = config.check() {
        refusal.exit();
    }
    telemetry::start(&config.log);
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(config: Config) -> anyhow::Result<()> {
    let shutdown = shutdown::signal()?;
    let listener = bind(config.listen).await?;
    let address = listener.local_addr()?;
    let server = Server::open(config).await?;
    announce(address)?;
    server.serve(listener, shutdown).await
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| match address.port() {
        port @ 1.. => format!("cannot listen on {address}; choose another port than {port} with --listen"),
        0 => format!("cannot listen on {address}; choose another address with --listen"),
    })
}

/// The one line on standard output. Programs that start the server wait for it and read the port from it.
fn announce(address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    out.flush()
}
