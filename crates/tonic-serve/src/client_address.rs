//! The client of a request, and the network by which limits count it. Knows no limit.

use std::net::{IpAddr, Ipv6Addr};

/// The address of the client that sent a request. Every request has it in its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The network that limits count: an IPv4 address itself, and of an IPv6 address the first 64 bits, because one
    /// subscriber usually has that many addresses. An IPv4 address in IPv6 notation counts as IPv4.
    #[must_use]
    pub fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address => address,
        }
    }

    /// The first 48 bits of an IPv6 address, the usual size of a site (RFC 6177). `None` for IPv4.
    pub(crate) fn site(self) -> Option<IpAddr> {
        match self.0.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                Some(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
            }
            IpAddr::V4(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_an_ipv4_address_and_an_ipv6_network() {
        let network = |text: &str| ClientAddress(text.parse().unwrap()).network().to_string();
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::1"), "::");
    }

    #[test]
    fn a_site_is_the_first_48_bits_of_an_ipv6_address() {
        let site = |text: &str| ClientAddress(text.parse().unwrap()).site();
        assert_eq!(site("2001:db8:1:2:3:4:5:6").unwrap().to_string(), "2001:db8:1::");
        assert_eq!(site("192.0.2.7"), None);
        assert_eq!(site("::ffff:192.0.2.7"), None);
    }
}
