//! Whose request it is, as limits count clients, and the answer to a client that has to come back later.
//!
//! Knows no limit: what is counted, and up to where, is its users' business.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Trailing metadata that says when a refused call may be repeated, in milliseconds (gRPC A6).
const RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The address of the client that sent a request. Every request has it among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The network that limits count: an IPv4 address is one, of an IPv6 address the first 64 bits, because
    /// a single subscriber is usually given that many addresses. IPv4 written as IPv6 is IPv4.
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
}

/// A refusal that says when to try again: RESOURCE_EXHAUSTED with `message`, `google.rpc.RetryInfo` in the
/// details and `grpc-retry-pushback-ms` in the trailers.
#[must_use]
pub fn retry_later(message: impl Into<String>, after: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(after));
    let mut status = Status::with_error_details(Code::ResourceExhausted, message, details);
    let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    status.metadata_mut().insert(RETRY_PUSHBACK, MetadataValue::from(millis));
    status
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
    fn a_refusal_says_when_to_come_back_in_both_ways() {
        let status = retry_later("Too many.", Duration::from_millis(1_500));
        assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "Too many."));
        assert_eq!(status.metadata().get(RETRY_PUSHBACK).unwrap(), "1500");
        let info = status.get_details_retry_info().unwrap();
        assert_eq!(info.retry_delay, Some(Duration::from_millis(1_500)));
    }
}
