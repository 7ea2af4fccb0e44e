//! Ports for servers that are started again on the same one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result};
use fastrand::Rng;

/// No system assigns these to outgoing connections.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// An address of this machine with a port that nobody uses now.
pub fn free_port(rng: &mut Rng) -> Result<SocketAddr> {
    let ports = std::iter::repeat_with(|| SocketAddr::from((Ipv4Addr::LOCALHOST, rng.u16(PORTS)))).take(100);
    ports.into_iter().find(|addr| TcpListener::bind(addr).is_ok()).context("no port is free")
}
