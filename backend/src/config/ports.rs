//! The check that the server's ports are different ones.

use std::net::SocketAddr;

use super::{Config, refuse};

/// Flags as clap writes them in its own errors.
const ADMIN: &str = "--admin <ADDRESS:PORT>";
const REDIRECT: &str = "--redirect-http <ADDRESS:PORT>";

impl Config {
    /// The ports for operators and for redirects have to be others than that of clients, and than each other.
    pub(super) fn check_ports(&self) -> Result<(), clap::Error> {
        let listen = ("--listen", Some(self.port.listen));
        for (flag, address, others) in [
            (ADMIN, self.admin, vec![listen]),
            (REDIRECT, self.redirect_http, vec![listen, ("--admin", self.admin)]),
        ] {
            let Some(address) = address else { continue };
            let taken = others.into_iter().filter_map(|(flag, other)| Some((flag, other?)));
            if let Some((other, at)) = taken.into_iter().find(|(_, at)| overlap(address, *at)) {
                let reason = format!("it has to be another port than that of {other} ({at})");
                return Err(refuse(flag, address.to_string(), &reason));
            }
        }
        Ok(())
    }
}

/// Whether two listeners would hear the same connections. Port 0 is a free one.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let (ip_a, ip_b) = (a.ip().to_canonical(), b.ip().to_canonical());
    a.port() == b.port() && a.port() != 0 && (ip_a == ip_b || ip_a.is_unspecified() || ip_b.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcard_addresses_overlap_with_every_address_of_their_port() {
        for (a, b, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("10.0.0.1:80", "[::]:80", true),
            ("[::ffff:10.0.0.1]:80", "10.0.0.1:80", true),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            assert_eq!(overlap(a.parse().unwrap(), b.parse().unwrap()), expected, "{a} {b}");
            assert_eq!(overlap(b.parse().unwrap(), a.parse().unwrap()), expected, "{b} {a}");
        }
    }
}
