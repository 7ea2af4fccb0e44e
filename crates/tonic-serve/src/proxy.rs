//! Trusted proxies, and the client that they name for a connection or a request.
//!
//! Knows addresses only, and no limit.

mod forwarded;
mod header;
mod rewind;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};

pub(crate) use self::header::read_proxy_header;
pub(crate) use self::rewind::Rewind;

/// Bits of the prefix of IPv4 addresses in IPv6 notation.
const MAPPED_PREFIX: u8 = 96;

/// A range of addresses in CIDR notation, such as `10.0.0.0/8` or `2001:db8::/32`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// The text is not an address or a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an IP address or a range, for example 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().map_err(|_| NetworkError)?,
        };
        Ok(Self(canonical(network)))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Turns IPv4 in IPv6 notation into IPv4, as for addresses.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let length = v6.prefix_len().checked_sub(MAPPED_PREFIX);
    match (v6.addr().to_ipv4_mapped(), length) {
        (Some(v4), Some(length)) => Ipv4Net::new(v4, length).map_or(network, IpNet::V4),
        _ => network,
    }
}

/// The proxies in front of a server. These peers, and no others, may name the client in two ways:
///
/// - The PROXY protocol, version 1 or 2, at the start of a connection, before TLS. The connection then counts as this client's.
///   An HTTP proxy need not send it. A TCP or TLS proxy must send it on every connection: without it, a client could write its
///   own PROXY header or `X-Forwarded-For`. LOCAL and UNKNOWN keep the peer's address. A header that is malformed, longer than
///   4 KiB, or slower than [`ServeOptions::handshake_timeout`](field@crate::ServeOptions::handshake_timeout) closes the connection.
/// - `X-Forwarded-For` or `Forwarded` (RFC 7239) of a request. The list is read from its end, past trusted addresses: the first
///   address that is not trusted is the client. An entry that is unknown, obfuscated or malformed ends the search, and the client
///   is the last trusted address before it.
///
/// **`Forwarded` is read only without `X-Forwarded-For`.** A proxy passes on the header that it does not write, and a client
/// could write anything there. Nearly all proxies write `X-Forwarded-For`. A proxy that writes `Forwarded` must remove
/// `X-Forwarded-For` from requests.
///
/// The result is the [`ClientAddress`](crate::ClientAddress) of a request. `tonic::Request::remote_addr` stays the address of the
/// connection's peer. `X-Forwarded-Proto` and `X-Forwarded-Host` are not read.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Arc<[Network]>);

impl FromIterator<Network> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl TrustedProxies {
    /// Whether `address` belongs to a trusted proxy.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.0.contains(&address))
    }

    /// The client of a request with `headers` on a connection from `nearest`.
    pub(crate) fn client(&self, nearest: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = nearest.to_canonical();
        if !self.contains(client) {
            return client;
        }
        for entry in forwarded::nearest_first(headers) {
            let Some(address) = entry else { break };
            client = address;
            if !self.contains(client) {
                break;
            }
        }
        client
    }
}

#[cfg(test)]
mod tests;
