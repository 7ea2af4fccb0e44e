//! Configuration of the gateway.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use http::Uri;
use tonic_serve::{Gateway, ServeOptions, Upstream, UpstreamError};

use super::port::PortConfig;
use super::{LogConfig, check_page, refuse};

/// Flags as clap writes them in its own errors.
const UPSTREAM: &str = "--upstream <URL>";
const ROUTE: &str = "--route <SERVICE=URL>";
const AUTHORITIES: &str = "--upstream-authorities <FILE>";

/// Passes calls on to other gRPC servers, so that pages can make them.
#[derive(Args, Clone, Debug)]
pub struct GatewayConfig {
    /// The gRPC server that gets the calls of all services without a --route, such as http://127.0.0.1:50052;
    /// https is verified by the certificate authorities of this system
    #[arg(long, env = "CHINWAG_UPSTREAM", value_name = "URL", required_unless_present = "routes")]
    pub upstream: Option<String>,

    /// A service and the gRPC server that gets its calls, such as helloworld.Greeter=http://127.0.0.1:50052;
    /// repeatable (in the environment: separated by commas)
    #[arg(long = "route", env = "CHINWAG_ROUTE", value_name = "SERVICE=URL", value_delimiter = ',')]
    pub routes: Vec<Route>,

    /// PEM file with the only certificate authorities that servers with https are verified by
    #[arg(long, env = "CHINWAG_UPSTREAM_AUTHORITIES", value_name = "FILE")]
    pub upstream_authorities: Option<PathBuf>,

    /// Seconds between HTTP/2 pings to a server with open calls; many servers refuse more than one ping in
    /// five minutes [default: no pings]
    #[arg(long, env = "CHINWAG_UPSTREAM_KEEP_ALIVE", value_name = "SECONDS")]
    pub upstream_keep_alive: Option<NonZeroU32>,

    /// Seconds between questions for the servers' health (grpc.health.v1), by which /readyz answers; 0: never
    #[arg(long, env = "CHINWAG_UPSTREAM_HEALTH", value_name = "SECONDS", default_value_t = 10)]
    pub upstream_health: u32,

    /// Directory of a built page that is served with the calls [default: no page]
    #[arg(long, env = "CHINWAG_PAGE", value_name = "DIR")]
    pub page: Option<PathBuf>,

    /// The port.
    #[command(flatten)]
    pub port: PortConfig,

    /// Log filter and format.
    #[command(flatten)]
    pub log: LogConfig,

    /// HTTP limits; those with a flag, `tls` and `trusted_proxies` are taken from `port`.
    #[arg(skip)]
    pub limits: ServeOptions,
}

/// A service and the URL of its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The full name of the service.
    pub service: String,
    /// The server's URL.
    pub url: String,
}

impl FromStr for Route {
    type Err = &'static str;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "it has to be a service and a URL, for example helloworld.Greeter=http://127.0.0.1:50052";
        let (service, url) = value.split_once('=').ok_or(EXPECTED)?;
        // As gRPC's paths begin with it.
        let is_name = !service.is_empty()
            && !service.contains('/')
            && format!("/{service}/").parse::<Uri>().is_ok_and(|uri| uri.query().is_none());
        if is_name { Ok(Self { service: service.to_owned(), url: url.to_owned() }) } else { Err(EXPECTED) }
    }
}

impl GatewayConfig {
    /// Validates values before anything is opened. Errors name flag, value and what is allowed.
    pub fn check(&self) -> Result<(), clap::Error> {
        if let Some(page) = &self.page {
            check_page(page)?;
        }
        self.gateway()?;
        self.port.tls.load().map(drop)
    }

    /// The gateway to the configured servers. Connects to none of them.
    pub fn gateway(&self) -> Result<Gateway, clap::Error> {
        let authorities = self.upstream_authorities.as_deref().map(read_authorities).transpose()?;
        let upstream = |flag: &str, url: &str| {
            let made = match &authorities {
                Some(pem) => Upstream::with_authorities(url, pem),
                None => Upstream::new(url),
            };
            match (made, &self.upstream_authorities) {
                (Ok(upstream), _) => Ok(match self.upstream_keep_alive {
                    Some(seconds) => upstream.keep_alive(Duration::from_secs(seconds.get().into())),
                    None => upstream,
                }),
                (Err(error @ UpstreamError::Authorities(_)), Some(file)) => {
                    Err(refuse(AUTHORITIES, file, &error.to_string()))
                }
                (Err(error), _) => Err(refuse(flag, url, &error.to_string())),
            }
        };
        let gateway = match &self.upstream {
            Some(url) => Gateway::new(upstream(UPSTREAM, url)?),
            None => Gateway::default(),
        };
        self.routes.iter().try_fold(gateway, |gateway, Route { service, url }| {
            Ok(gateway.route(service, upstream(ROUTE, url)?))
        })
    }
}

fn read_authorities(file: &Path) -> Result<Vec<u8>, clap::Error> {
    fs::read(file).map_err(|error| {
        refuse(AUTHORITIES, file, &format!("it has to be a file that can be read ({error})"))
    })
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<GatewayConfig, clap::Error> {
        let command = GatewayConfig::augment_args(clap::Command::new("gateway"));
        let matches = command.try_get_matches_from([&["gateway"], arguments].concat())?;
        GatewayConfig::from_arg_matches(&matches)
    }

    #[test]
    fn an_upstream_or_a_route_is_required() {
        assert!(parse(&[]).is_err());
        assert!(parse(&["--upstream=http://127.0.0.1:1"]).unwrap().check().is_ok());
        assert!(parse(&["--route=a.B=http://127.0.0.1:1"]).unwrap().check().is_ok());
    }

    #[test]
    fn wrong_values_are_refused_by_the_name_of_their_flag() {
        for (argument, flag) in [
            ("--upstream=127.0.0.1:1", "--upstream"),
            ("--upstream=ftp://host", "--upstream"),
            ("--route=a.B=host", "--route"),
        ] {
            let refusal = parse(&[argument]).unwrap().check().unwrap_err().to_string();
            assert!(refusal.contains(&format!("for '{flag} <")), "{argument}: {refusal}");
        }
        let authorities = parse(&["--upstream=http://host", "--upstream-authorities=/dev/null"]).unwrap();
        let refusal = authorities.check().unwrap_err().to_string();
        assert!(refusal.contains("for '--upstream-authorities <"), "{refusal}");
        for argument in
            ["--route=a.B", "--route==http://host", "--route=a/B=http://host", "--route=a?b=http://host"]
        {
            let refusal = parse(&[argument]).unwrap_err().to_string();
            assert!(refusal.contains("'--route <SERVICE=URL>'"), "{argument}: {refusal}");
        }
        assert!(parse(&["--upstream=http://host", "--upstream-keep-alive=0"]).is_err());
    }
}
