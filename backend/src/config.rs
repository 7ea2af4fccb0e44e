//! Configuration from flags and environment variables, and its validation.

mod acme;
mod cluster;
mod gateway;
mod limits;
mod port;
mod ports;
mod rates;
mod tls;
mod traces;
mod web;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory as _, Parser, ValueEnum};
use tonic_serve::ServeOptions;
use tracing_subscriber::EnvFilter;

pub use self::acme::{AcmeConfig, DEFAULT_DIRECTORY};
pub use self::cluster::ClusterConfig;
pub use self::gateway::{GatewayConfig, Route};
pub use self::limits::LimitConfig;
use self::port::parse_listen;
pub use self::port::{DEFAULT_LISTEN, PortConfig};
pub use self::rates::RatesConfig;
pub use self::tls::TlsConfig;
pub(crate) use self::tls::{Pem, TlsFiles};
pub use self::traces::TracesConfig;
pub use self::web::WebConfig;
use crate::chat::ChatOptions;

/// Default directory of the database.
pub const DEFAULT_DATA: &str = "data";

/// Directory of the built page, trunk's output, for a program without a page inside.
pub const DEFAULT_PAGE: &str = "dist";

/// Default log filter.
pub const DEFAULT_LOG: &str = "info";

/// Serves the Greeter, the chat and their page on one port.
///
/// Every option can be given as an environment variable too; the option wins.
#[derive(Clone, Debug, Parser)]
#[command(name = "chinwag", version)]
pub struct Config {
    /// The port.
    #[command(flatten)]
    pub port: PortConfig,

    /// Address and port for operators: /metrics in the text format of Prometheus, without authentication
    #[arg(long, env = "CHINWAG_ADMIN", value_name = "ADDRESS:PORT", value_parser = parse_listen)]
    pub admin: Option<SocketAddr>,

    /// Address and port that answers every request with a redirect to https, and nothing else; needs
    /// --tls-certificate or --acme-domain
    #[arg(
        long,
        env = "CHINWAG_REDIRECT_HTTP",
        value_name = "ADDRESS:PORT",
        value_parser = parse_listen,
        requires = "https"
    )]
    pub redirect_http: Option<SocketAddr>,

    /// Certificates from an authority.
    #[command(flatten)]
    pub acme: AcmeConfig,

    /// Directory of the database; created when it does not exist
    #[arg(long, env = "CHINWAG_DATA", value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,

    /// Directory of the built page; while it is empty, the server shows how to build the page [default: dist,
    /// or the page in the program where it has one]
    #[arg(long, env = "CHINWAG_PAGE", value_name = "DIR")]
    pub page: Option<PathBuf>,

    /// Mark the session's cookie as Secure: for a server that browsers reach by https only; implied by
    /// --tls-certificate
    #[arg(long, env = "CHINWAG_SECURE_COOKIE", value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    pub secure_cookie: bool,

    /// Log filter and format.
    #[command(flatten)]
    pub log: LogConfig,

    /// The servers of this chat, if there are several.
    #[command(flatten)]
    pub cluster: ClusterConfig,

    /// Traces of calls.
    #[command(flatten)]
    pub traces: TracesConfig,

    /// Rate limits.
    #[command(flatten)]
    pub rates: RatesConfig,

    /// Chat options without flags; `data`, `secure_cookie`, `cookie_path` and `rooms_per_user` are taken from the fields above.
    #[arg(skip)]
    pub chat: ChatOptions,

    /// HTTP limits; those with a flag, `tls` and `trusted_proxies` are taken from `port`. Limits without a flag suit small and
    /// large servers.
    #[arg(skip)]
    pub limits: ServeOptions,
}

/// Log filter and format.
#[derive(Args, Clone, Debug)]
pub struct LogConfig {
    /// What to log to standard error: off, error, warn, info, debug, trace, or directives such as
    /// info,backend=debug
    #[arg(
        long = "log",
        env = "CHINWAG_LOG",
        value_name = "FILTER",
        default_value = DEFAULT_LOG,
        value_parser = parse_filter
    )]
    pub filter: String,

    /// Format of a log line
    #[arg(long = "log-format", env = "CHINWAG_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub format: LogFormat,
}

/// Format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A sentence with fields, for people.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

impl Config {
    /// Validates values before anything is opened. Errors name flag, value and what is allowed. Creates the database's
    /// directory.
    pub fn check(&self) -> Result<(), clap::Error> {
        self.check_ports()?;
        self.check_acme()?;
        self.check_traces()?;
        self.check_cluster()?;
        if let Err(error) = fs::create_dir_all(&self.data) {
            let reason = format!("it has to be a directory, or a path where one can be made ({error})");
            return Err(refuse("--data <DIR>", &self.data, &reason));
        }
        if let Some(page) = &self.page {
            check_page(page)?;
        }
        self.port.tls.load().map(drop)
    }

    /// The HTTP limits with all flags applied.
    pub fn serve_options(&self) -> Result<ServeOptions, clap::Error> {
        self.port.serve_options(self.limits.clone())
    }

    /// Lowers the limit of connections to what `fit` returns for the configured number.
    pub fn limit_connections(&mut self, fit: impl FnOnce(usize) -> usize) {
        self.port.limit_connections(&self.limits, fit);
    }
}

/// Refuses a page that is not a directory.
fn check_page(page: &Path) -> Result<(), clap::Error> {
    if page.exists() && !page.is_dir() {
        return Err(refuse("--page <DIR>", page, "it has to be a directory"));
    }
    Ok(())
}

fn refuse(flag: &str, value: impl AsRef<Path>, reason: &str) -> clap::Error {
    let message = format!("invalid value '{}' for '{flag}': {reason}", value.as_ref().display());
    Config::command().error(ErrorKind::ValueValidation, message)
}

fn parse_filter(value: &str) -> Result<String, String> {
    match EnvFilter::try_new(value) {
        Ok(_) => Ok(value.to_owned()),
        Err(error) => Err(format!(
            "it has to be off, error, warn, info, debug, trace or directives such as info,backend=debug ({error})"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Config::command().debug_assert();
    }

    #[test]
    fn several_origins_can_be_given() {
        let config = Config::try_parse_from([
            "backend",
            "--cors-origin=http://a.example",
            "--cors-origin=http://b.example,https://c.example/",
        ]);

        let origins: Vec<_> = config.unwrap().port.cors_origins.iter().map(ToString::to_string).collect();
        assert_eq!(origins, ["http://a.example", "http://b.example", "https://c.example"]);
    }
}
