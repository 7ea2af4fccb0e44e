//! What can be configured, from flags and from the environment, and what is refused.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser};
use edge::ServeOptions;

/// Where the server listens unless told otherwise: the port of gRPC's quick starts, this machine only.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 50051);

/// Where data is kept unless told otherwise.
pub const DEFAULT_DATA: &str = "data";

/// Where the built page is looked for unless told otherwise: trunk's output.
pub const DEFAULT_PAGE: &str = "dist";

/// The server's configuration. Every flag can be given as an environment variable too; the flag wins.
#[derive(Clone, Debug, Parser)]
#[command(name = "backend", version, about = "Serves the Greeter, the chat and their page on one port.")]
pub struct Config {
    /// Means nothing more: `cargo run backend` is `cargo run`.
    #[arg(value_parser = ["backend"], hide = true)]
    pub command: Option<String>,

    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "CHINWAG_LISTEN", value_name = "ADDRESS:PORT", default_value_t = DEFAULT_LISTEN, value_parser = parse_listen)]
    pub listen: SocketAddr,

    /// Directory of the database; made when it does not exist
    #[arg(long, env = "CHINWAG_DATA", value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,

    /// Directory of the built page; without one the server says how to build it
    #[arg(long, env = "CHINWAG_PAGE", value_name = "DIR", default_value = DEFAULT_PAGE)]
    pub page: PathBuf,

    /// What is logged, and how.
    #[command(flatten)]
    pub log: LogConfig,

    /// Limits of the HTTP side; no flags.
    #[arg(skip)]
    pub limits: ServeOptions,
}

/// What is logged.
#[derive(Args, Clone, Debug)]
pub struct LogConfig {
    /// What to log to standard error: error, warn, info, debug, trace, off, or a filter such as
    /// `info,backend=debug`
    #[arg(long = "log", env = "CHINWAG_LOG", value_name = "FILTER", default_value = "info")]
    pub filter: String,
}

impl Config {
    /// Refuses what can be known to be wrong before anything is opened, naming flag, value and what is
    /// allowed.
    pub fn check(&self) -> Result<(), clap::Error> {
        if self.page.exists() && !self.page.is_dir() {
            return Err(refuse("--page", &self.page.display().to_string(), "a directory"));
        }
        Ok(())
    }
}

fn refuse(flag: &str, value: &str, allowed: &str) -> clap::Error {
    Config::command().error(
        ErrorKind::ValueValidation,
        format!("invalid value '{value}' for '{flag}': it has to be {allowed}"),
    )
}

fn parse_listen(value: &str) -> Result<SocketAddr, String> {
    value.parse().map_err(|_| {
        "it has to be an IP address and a port, for example 127.0.0.1:50051 or [::]:8080".to_owned()
    })
}
