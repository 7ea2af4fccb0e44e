//! The check of the operators' address.

use std::net::SocketAddr;

use super::{Config, refuse};

/// The flag as clap writes it in its own errors.
const ADMIN: &str = "--admin <ADDRESS:PORT>";

impl Config {
    /// The operators' port has to be another one than that of clients.
    pub(super) fn check_admin(&self) -> Result<(), clap::Error> {
        match self.admin {
            Some(admin) if overlap(admin, self.listen) => {
                let reason = format!("it has to be another port than that of --listen ({})", self.listen);
                Err(refuse(ADMIN, admin.to_string(), &reason))
            }
            _ => Ok(()),
        }
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
