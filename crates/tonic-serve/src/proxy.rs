//! Which peers are proxies that may name the client, and which client a request has by their word.
//!
//! Knows addresses only: what is done with a client's address is its users' business.

mod forwarded;
mod protocol;
mod rewind;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};

pub(crate) use self::protocol::read_proxy_header;
pub(crate) use self::rewind::Rewind;

/// The prefix of IPv4 addresses that are written as IPv6, bits.
const MAPPED_PREFIX: u8 = 96;

/// A range of addresses in CIDR notation, such as `10.0.0.0/8` or `2001:db8::/32`. An address alone is a
/// range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// A text that is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has to be an IP address or a range of them, for example 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32")]
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

/// IPv4 written as IPv6 is IPv4, as it is for addresses.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let length = v6.prefix_len().checked_sub(MAPPED_PREFIX);
    match (v6.addr().to_ipv4_mapped(), length) {
        (Some(v4), Some(length)) => Ipv4Net::new(v4, length).map_or(network, IpNet::V4),
        _ => network,
    }
}

/// The proxies in front of a server. From these peers, and from no other, two things name the client:
///
/// - The PROXY protocol, version 1 or 2, at the start of a connection, before TLS. The connection then counts as
///   this client's. A proxy of HTTP need not send it. A proxy of TCP or TLS has to send it on every connection:
///   a client can write its own PROXY header or `X-Forwarded-For` where the proxy writes none. LOCAL and UNKNOWN
///   keep the peer's address; a malformed header closes the connection, as does one of more than 4 KiB, or one
///   that takes longer than [`ServeOptions::handshake_timeout`](crate::ServeOptions::handshake_timeout).
/// - `X-Forwarded-For` or `Forwarded` (RFC 7239) of a request. The list is read from its end, past trusted
///   addresses: the first address that is not trusted is the client. An entry that is unknown, obfuscated
///   or malformed ends the search, and the client is the last trusted address before it.
///
/// **`Forwarded` is read only when there is no `X-Forwarded-For`.** A proxy passes on the header that it
/// does not write, and there a client could write what it likes. Nearly all proxies write
/// `X-Forwarded-For`. One that writes `Forwarded` has to remove `X-Forwarded-For` from what clients send.
///
/// The result is the [`ClientAddress`](crate::ClientAddress) of a request. `tonic::Request::remote_addr`
/// stays the address of the connection's peer. `X-Forwarded-Proto` and `X-Forwarded-Host` are not read.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Arc<[Network]>);

impl FromIterator<Network> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl TrustedProxies {
    /// Whether `address` is a trusted proxy's.
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
        for named in forwarded::nearest_first(headers) {
            let Some(address) = named else { break };
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
