//! Configuration from flags and environment variables, and its validation.

mod limits;
mod ports;
mod rates;
mod tls;
mod web;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory as _, Parser, ValueEnum};
use tonic_serve::{Origin, ServeOptions};
use tracing_subscriber::EnvFilter;

pub use self::limits::LimitConfig;
pub use self::rates::RatesConfig;
pub(crate) use self::tls::{Pem, TlsFiles};
pub use self::web::WebConfig;
use crate::chat::ChatOptions;

/// Default address and port: the port of gRPC's quick starts, this machine only.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50051);

/// Default directory of the database.
pub const DEFAULT_DATA: &str = "data";

/// Default directory of the built page: trunk's output.
pub const DEFAULT_PAGE: &str = "dist";

/// Default log filter.
pub const DEFAULT_LOG: &str = "info";

/// Serves the Greeter, the chat and their page on one port.
///
/// Every option can be given as an environment variable too; the option wins.
#[derive(Clone, Debug, Parser)]
#[command(name = "chinwag", version)]
pub struct Config {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(
        long,
        env = "CHINWAG_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value_t = DEFAULT_LISTEN,
        value_parser = parse_listen
    )]
    pub listen: SocketAddr,

    /// Address and port for operators: /metrics in the text format of Prometheus, without authentication
    #[arg(long, env = "CHINWAG_ADMIN", value_name = "ADDRESS:PORT", value_parser = parse_listen)]
    pub admin: Option<SocketAddr>,

    /// Address and port that answers every request with a redirect to https, and nothing else; needs
    /// --tls-certificate
    #[arg(
        long,
        env = "CHINWAG_REDIRECT_HTTP",
        value_name = "ADDRESS:PORT",
        value_parser = parse_listen,
        requires = "tls_certificate"
    )]
    pub redirect_http: Option<SocketAddr>,

    /// Directory of the database; created when it does not exist
    #[arg(long, env = "CHINWAG_DATA", value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,

    /// Directory of the built page; while it is empty, the server shows how to build the page
    #[arg(long, env = "CHINWAG_PAGE", value_name = "DIR", default_value = DEFAULT_PAGE)]
    pub page: PathBuf,

    /// Another origin whose pages may call this server, such as http://localhost:8080; can be given
    /// several times (in the environment: separated by commas)
    #[arg(long = "cors-origin", env = "CHINWAG_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origins: Vec<Origin>,

    /// Host names, CORS headers, trusted proxies and sockets.
    #[command(flatten)]
    pub web: WebConfig,

    /// PEM file with the server's certificate, followed by the intermediate certificates; with it, the port
    /// accepts https only
    #[arg(long, env = "CHINWAG_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,

    /// PEM file with the private key of the server's certificate
    #[arg(long, env = "CHINWAG_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,

    /// Mark the session's cookie as Secure: for a server that browsers reach by https only; implied by
    /// --tls-certificate
    #[arg(long, env = "CHINWAG_SECURE_COOKIE", value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    pub secure_cookie: bool,

    /// Log filter and format.
    #[command(flatten)]
    pub log: LogConfig,

    /// Limits on connections, calls and buffered bytes; a flag overrides the same field of `limits`.
    #[command(flatten)]
    pub client_limits: LimitConfig,

    /// Rate limits.
    #[command(flatten)]
    pub rates: RatesConfig,

    /// Chat options without flags; `data`, `secure_cookie` and `rooms_per_user` are taken from the fields above.
    #[arg(skip)]
    pub chat: ChatOptions,

    /// HTTP limits; `tls` and `trusted_proxies` are taken from the fields above. Limits without a flag suit small and large
    /// servers.
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
        if let Err(error) = fs::create_dir_all(&self.data) {
            let reason = format!("it has to be a directory, or a path where one can be made ({error})");
            return Err(refuse("--data <DIR>", &self.data, &reason));
        }
        if self.page.exists() && !self.page.is_dir() {
            return Err(refuse("--page <DIR>", &self.page, "it has to be a directory"));
        }
        self.tls().map(drop)
    }

    /// The HTTP limits with all flags applied.
    pub fn serve_options(&self) -> Result<ServeOptions, clap::Error> {
        let mut options = self.limits.clone();
        self.client_limits.apply(&mut options);
        options.tls = self.tls()?;
        options.trusted_proxies = self.web.trusted_proxies.iter().copied().collect();
        options.http1_keep_alive = self.web.keep_alive.unwrap_or(options.http1_keep_alive);
        options.web_sockets = self.web.web_sockets.unwrap_or(options.web_sockets);
        Ok(options)
    }

    /// Lowers the limit of connections to what `fit` returns for the configured number.
    pub fn limit_connections(&mut self, fit: impl FnOnce(usize) -> usize) {
        self.client_limits.apply(&mut self.limits);
        self.client_limits.max_connections = NonZeroUsize::new(fit(self.limits.max_connections));
    }

    /// Whether the port accepts https.
    pub fn is_https(&self) -> bool {
        self.tls_certificate.is_some()
    }
}

fn refuse(flag: &str, value: impl AsRef<Path>, reason: &str) -> clap::Error {
    let message = format!("invalid value '{}' for '{flag}': {reason}", value.as_ref().display());
    Config::command().error(ErrorKind::ValueValidation, message)
}

fn parse_listen(value: &str) -> Result<SocketAddr, String> {
    value.parse().map_err(|_| {
        "it has to be an IP address and a port, for example 127.0.0.1:50051 or [::]:8080".to_owned()
    })
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

        let origins: Vec<_> = config.unwrap().cors_origins.iter().map(ToString::to_string).collect();
        assert_eq!(origins, ["http://a.example", "http://b.example", "https://c.example"]);
    }
}
