//! Host names, the base path, CORS headers, trusted proxies, keep-alive and sockets.

use std::time::Duration;

use clap::{ArgAction, Args};
use http::HeaderName;
use tonic_serve::{BasePath, HostName, Network, Page, SourceError};

/// Host names, CORS headers, trusted proxies and sockets.
#[derive(Args, Clone, Debug, Default)]
pub struct WebConfig {
    /// A host name that people use for this server, such as chat.example; repeatable (in the environment:
    /// separated by commas). localhost and IP addresses are always allowed, requests for other names are
    /// refused
    #[arg(long = "host", env = "CHINWAG_HOST", value_name = "NAME", value_delimiter = ',')]
    pub hosts: Vec<HostName>,

    /// The path under which people reach this server, such as /chat/, when it shares its host name with others:
    /// page, calls, sockets, cookies and the paths of health are below it [default: /]
    #[arg(long, env = "CHINWAG_BASE_PATH", value_name = "PATH")]
    pub base_path: Option<BasePath>,

    /// A proxy in front removes the base path before it passes requests on; without this, requests have to come with
    /// the path
    #[arg(long, env = "CHINWAG_BASE_PATH_STRIPPED", value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    pub base_path_stripped: bool,

    /// A request header that pages of the origins in --cors-origin may send in addition to those of gRPC-Web,
    /// such as traceparent; repeatable (in the environment: separated by commas)
    #[arg(
        long = "cors-header",
        env = "CHINWAG_CORS_HEADER",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = parse_header
    )]
    pub cors_headers: Vec<HeaderName>,

    /// The address of a proxy in front of this server, or a range of addresses such as 10.0.0.0/8; repeatable
    /// (in the environment: separated by commas). X-Forwarded-For, Forwarded and the PROXY protocol are trusted
    /// from these addresses only
    #[arg(long = "trusted-proxy", env = "CHINWAG_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,

    /// Seconds that an HTTP/1.1 connection may stay open between two requests; a proxy in front has to close its
    /// connections sooner [default: 75]
    #[arg(long, env = "CHINWAG_KEEP_ALIVE", value_name = "SECONDS", value_parser = parse_keep_alive)]
    pub keep_alive: Option<Duration>,

    /// A server that the page may call besides this one, such as `https://api.example`; `*` for any server. The
    /// explorer needs it for other addresses; repeatable (in the environment: separated by commas)
    #[arg(
        long = "connect-source",
        env = "CHINWAG_CONNECT_SOURCE",
        value_name = "SOURCE",
        value_delimiter = ',',
        value_parser = parse_connect_source
    )]
    pub connect_sources: Vec<String>,

    /// Whether pages may open sockets: HTTP/2 in a WebSocket, for calls that fetch cannot carry
    /// [default: true]
    #[arg(long, env = "CHINWAG_WEB_SOCKETS", value_name = "BOOL", default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pub web_sockets: Option<bool>,
}

/// The directive of the content security policy that lists the servers that a page may call.
const CONNECT: &str = "connect-src";

impl WebConfig {
    /// The page, which may call the configured servers.
    pub fn allow_connections(&self, page: Page) -> Result<Page, SourceError> {
        self.connect_sources.iter().try_fold(page, |page, source| page.allow_source(CONNECT, source))
    }
}

/// A day is more than any proxy keeps an idle connection.
const MAX_KEEP_ALIVE: u64 = 24 * 60 * 60;

fn parse_keep_alive(value: &str) -> Result<Duration, String> {
    match value.parse() {
        Ok(seconds @ 1..=MAX_KEEP_ALIVE) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("it has to be a whole number of seconds from 1 to {MAX_KEEP_ALIVE}")),
    }
}

/// HTTP allows `*` as a name; browsers do not treat it as a wildcard when cookies are allowed.
fn parse_header(value: &str) -> Result<HeaderName, String> {
    match value.parse() {
        Ok(name) if value != "*" => Ok(name),
        _ => Err("it has to be the name of one header, for example traceparent".to_owned()),
    }
}

/// A source of the content security policy for connections.
fn parse_connect_source(value: &str) -> Result<String, String> {
    let is_keyword = value.starts_with('\'');
    let allowed = Page::new("").allow_source(CONNECT, value);
    match allowed {
        Ok(_) if !is_keyword => Ok(value.to_owned()),
        _ => Err("it has to be the address of one server, for example https://api.example, or *".to_owned()),
    }
}
