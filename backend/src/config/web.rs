//! Who may ask the server, and through whom: host names, headers of pages of other origins, proxies.

use clap::Args;
use http::HeaderName;
use tonic_serve::{HostName, Network};

/// Who may ask the server, and through whom.
#[derive(Args, Clone, Debug, Default)]
pub struct WebConfig {
    /// A host name that people reach this server by, such as chat.example; can be given several times (in
    /// the environment: separated by commas). Requests for other names are refused, but for localhost and
    /// for IP addresses
    #[arg(long = "host", env = "CHINWAG_HOST", value_name = "NAME", value_delimiter = ',')]
    pub hosts: Vec<HostName>,

    /// A request header that pages of the origins in --cors-origin may send beside those of gRPC-Web, such as
    /// traceparent; can be given several times (in the environment: separated by commas)
    #[arg(
        long = "cors-header",
        env = "CHINWAG_CORS_HEADER",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = parse_header
    )]
    pub cors_headers: Vec<HeaderName>,

    /// The address of a proxy in front of this server, or a range of addresses such as 10.0.0.0/8; can be
    /// given several times (in the environment: separated by commas). From there, and from nowhere else,
    /// X-Forwarded-For, Forwarded and the PROXY protocol name the client
    #[arg(long = "trusted-proxy", env = "CHINWAG_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,
}

/// A `*` is a name by the rules of HTTP, but not to browsers when cookies are allowed.
fn parse_header(value: &str) -> Result<HeaderName, String> {
    match value.parse() {
        Ok(name) if value != "*" => Ok(name),
        _ => Err("it has to be the name of one header, for example traceparent".to_owned()),
    }
}
