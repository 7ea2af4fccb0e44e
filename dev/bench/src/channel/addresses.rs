//! The servers that the clients call, near and far.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use harness::Process;

use super::case::Distance;
use super::client::Served;
use super::{raw_socket, relay};
use crate::grpcwebproxy;

/// One server, and the relay in front of it.
struct Address {
    near: SocketAddr,
    far: SocketAddr,
}

impl Address {
    async fn new(near: SocketAddr) -> Result<Self> {
        Ok(Self { near, far: relay::start(near).await? })
    }
}

/// All servers.
pub(crate) struct Addresses {
    page: Address,
    raw_socket: Address,
    /// `None` without its program.
    proxy: Option<(Address, Process)>,
}

impl Addresses {
    /// Starts the other servers around the one of the pages at `page`.
    pub(crate) async fn around(page: SocketAddr, program: Option<&Path>) -> Result<Self> {
        let proxy = match program {
            Some(program) => {
                let (process, addr) = grpcwebproxy::start(program, page)?;
                Some((Address::new(addr).await?, process))
            }
            None => None,
        };
        let raw_socket = Address::new(raw_socket::start().await?).await?;
        Ok(Self { page: Address::new(page).await?, raw_socket, proxy })
    }

    /// The server of the pages.
    pub(crate) fn page(&self) -> SocketAddr {
        self.page.near
    }

    /// The server of a client; `None` when it is not there.
    pub(crate) fn of(&self, served: Served, distance: Distance) -> Option<SocketAddr> {
        let address = match served {
            Served::Page => &self.page,
            Served::RawSocket => &self.raw_socket,
            Served::Proxy => &self.proxy.as_ref()?.0,
        };
        Some(match distance {
            Distance::Near => address.near,
            Distance::Far => address.far,
        })
    }
}
