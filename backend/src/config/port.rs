//! The port: its address, the pages that may call, its certificate and its limits. Serving and the gateway share it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;

use clap::Args;
use http::HeaderName;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_serve::{AllowedHosts, App, BasePath, CorsOptions, Origin, ServeOptions};

use super::limits::LimitConfig;
use super::tls::TlsConfig;
use super::web::WebConfig;

/// Default address and port: the port of gRPC's quick starts, this machine only.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50051);

/// Hint in the response to a request that was refused because of its host name.
const HOST_HINT: &str = "(whoever runs it can allow the name with --host)";

/// The port that callers connect to.
#[derive(Args, Clone, Debug)]
pub struct PortConfig {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(
        long,
        env = "CHINWAG_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value_t = DEFAULT_LISTEN,
        value_parser = parse_listen
    )]
    pub listen: SocketAddr,

    /// Another origin whose pages may call this server, such as http://localhost:8080; can be given
    /// several times (in the environment: separated by commas)
    #[arg(long = "cors-origin", env = "CHINWAG_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origins: Vec<Origin>,

    /// Host names, CORS headers, trusted proxies and sockets.
    #[command(flatten)]
    pub web: WebConfig,

    /// Certificate and key.
    #[command(flatten)]
    pub tls: TlsConfig,

    /// Limits on connections, calls and buffered bytes.
    #[command(flatten)]
    pub limits: LimitConfig,
}

impl PortConfig {
    /// Whether the port accepts https.
    pub fn is_https(&self) -> bool {
        self.tls.certificate.is_some() || self.tls.managed.is_some()
    }

    /// `options` with all flags applied.
    pub fn serve_options(&self, mut options: ServeOptions) -> Result<ServeOptions, clap::Error> {
        self.limits.apply(&mut options);
        options.tls = self.tls.load()?;
        options.trusted_proxies = self.web.trusted_proxies.iter().copied().collect();
        options.http1_keep_alive = self.web.keep_alive.unwrap_or(options.http1_keep_alive);
        options.web_sockets = self.web.web_sockets.unwrap_or(options.web_sockets);
        Ok(options)
    }

    /// Lowers the limit of connections to what `fit` returns for the configured number: that of the flags, or of `options`.
    pub fn limit_connections(&mut self, options: &ServeOptions, fit: impl FnOnce(usize) -> usize) {
        let configured = self.limits.max_connections.map_or(options.max_connections, NonZeroUsize::get);
        self.limits.max_connections = NonZeroUsize::new(fit(configured));
    }

    /// An application with these services that answers the configured hosts and origins. Pages of other origins may also send
    /// `headers`.
    pub fn app(&self, routes: Routes, headers: impl IntoIterator<Item = HeaderName>) -> App {
        let cors = CorsOptions::new(self.cors_origins.iter().cloned().chain(development_origins()))
            .allow_headers(headers)
            .allow_headers(self.web.cors_headers.iter().cloned());
        let app = App::new(routes).allowed_hosts(self.hosts()).cors(cors);
        match &self.web.base_path {
            Some(base) => app.base_path(base.clone().stripped_by_proxy(self.web.base_path_stripped)),
            None => app,
        }
    }

    /// The path of the page's addresses and of cookies, with slashes at both ends.
    pub(crate) fn path(&self) -> &str {
        self.web.base_path.as_ref().map_or("/", BasePath::as_str)
    }

    /// The configured host names.
    pub fn hosts(&self) -> AllowedHosts {
        AllowedHosts::new(self.web.hosts.iter().cloned()).hint(HOST_HINT)
    }

    /// Logs the start. `page`: whether there is a page.
    pub fn log_start(&self, listener: &TcpListener, page: bool) -> io::Result<()> {
        let address = listener.local_addr()?;
        tracing::info!(
            listen = %address,
            path = self.path(),
            tls = self.is_https(),
            page,
            cors.origins = self.cors_origins.len(),
            hosts = self.web.hosts.len(),
            trusted_proxies = self.web.trusted_proxies.len(),
            "serving"
        );
        if self.web.hosts.is_empty() && !address.ip().to_canonical().is_loopback() {
            tracing::warn!(
                "only requests for localhost and for IP addresses are answered; if people reach this server by a host \
                 name, allow it with --host"
            );
        }
        Ok(())
    }
}

/// Reads an address and a port.
pub(super) fn parse_listen(value: &str) -> Result<SocketAddr, String> {
    value.parse().map_err(|_| {
        "it has to be an IP address and a port, for example 127.0.0.1:50051 or [::]:8080".to_owned()
    })
}

/// The origins of trunk's server, in debug builds. Its proxy drops the subprotocol of a WebSocket, so a page in development opens
/// its socket at this server, and another port counts as a foreign page there.
fn development_origins() -> impl Iterator<Item = Origin> {
    let origins = ["http://127.0.0.1:8080", "http://localhost:8080"];
    origins.into_iter().filter(|_| cfg!(debug_assertions)).filter_map(|origin| origin.parse().ok())
}
