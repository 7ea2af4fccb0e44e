//! The connections between the servers, each through a relay of its own: those between servers of NATS, and those from each server of
//! the chat to each server of NATS.

use std::net::SocketAddr;
use std::time::Duration;

use crate::relay::{Mode, Modes, Relay};

/// The direction of bytes, as seen from a server of NATS or of the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The other servers do not get what this one sends.
    Out,
    /// This one does not get what the others send.
    In,
    Both,
}

impl Direction {
    /// The treatment that `mode` is for a relay whose server is the other side.
    fn apply(self, mode: Mode, modes: &mut Modes) {
        if self != Self::In {
            modes.to_server = mode;
        }
        if self != Self::Out {
            modes.to_client = mode;
        }
    }

    fn reversed(self) -> Self {
        match self {
            Self::Out => Self::In,
            Self::In => Self::Out,
            Self::Both => Self::Both,
        }
    }
}

/// All relays. Dropping it stops them.
#[derive(Debug)]
pub(super) struct Network {
    /// By the server of NATS that connects, and the one that it connects to; `None` to itself.
    routes: Vec<Vec<Option<Relay>>>,
    /// By the server of the chat, and the server of NATS.
    clients: Vec<Vec<Relay>>,
}

impl Network {
    /// `routes` and `clients` are the addresses at which the servers of NATS listen for each other and for `nodes` servers of the
    /// chat.
    pub(super) async fn begin(
        routes: &[SocketAddr],
        clients: &[SocketAddr],
        nodes: usize,
    ) -> std::io::Result<Self> {
        let mut network = Self { routes: Vec::new(), clients: Vec::new() };
        for from in 0..routes.len() {
            let mut row = Vec::new();
            for (to, addr) in routes.iter().enumerate() {
                row.push(if from == to { None } else { Some(Relay::start(vec![*addr]).await?) });
            }
            network.routes.push(row);
        }
        for _ in 0..nodes {
            let mut row = Vec::new();
            for addr in clients {
                row.push(Relay::start(vec![*addr]).await?);
            }
            network.clients.push(row);
        }
        Ok(network)
    }

    /// The addresses at which a server of NATS reaches the others.
    pub(super) fn others_of(&self, server: usize) -> Vec<SocketAddr> {
        self.routes[server].iter().flatten().map(|relay| relay.addr).collect()
    }

    /// The addresses at which a server of the chat reaches the servers of NATS.
    pub(super) fn servers_of(&self, node: usize) -> Vec<SocketAddr> {
        self.clients[node].iter().map(|relay| relay.addr).collect()
    }

    /// Changes what a server of NATS and the others send to each other.
    pub(super) fn change_server(&self, server: usize, direction: Direction, mode: Mode) {
        for other in 0..self.routes.len() {
            self.change_link(server, other, direction, mode);
        }
    }

    /// Changes what two servers of NATS send to each other, as seen from the first. Either may have connected to the other.
    pub(super) fn change_link(&self, server: usize, other: usize, direction: Direction, mode: Mode) {
        if let Some(relay) = &self.routes[server][other] {
            relay.change_all(|modes| direction.apply(mode, modes));
        }
        if let Some(relay) = &self.routes[other][server] {
            relay.change_all(|modes| direction.reversed().apply(mode, modes));
        }
    }

    /// Changes what a server of the chat and all servers of NATS send to each other.
    pub(super) fn change_node(&self, node: usize, direction: Direction, mode: Mode) {
        for relay in &self.clients[node] {
            relay.change_all(|modes| direction.apply(mode, modes));
        }
    }

    /// Delays everything between servers of NATS.
    pub(super) fn delay_routes(&self, delay: Duration) {
        for relay in self.routes.iter().flatten().flatten() {
            relay.change_all(|modes| *modes = Modes::both(Mode::Pass(delay)));
        }
    }

    /// Passes everything on again, at once.
    pub(super) fn heal(&self) {
        let routes = self.routes.iter().flatten().flatten();
        for relay in routes.chain(self.clients.iter().flatten()) {
            relay.change_all(|modes| *modes = Modes::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(direction: Direction) -> Modes {
        let mut modes = Modes::default();
        direction.apply(Mode::Silent, &mut modes);
        modes
    }

    #[test]
    fn direction_is_that_of_the_side_that_connected() {
        let pass = Modes::default();
        assert_eq!(after(Direction::Out), Modes { to_server: Mode::Silent, ..pass });
        assert_eq!(after(Direction::In), Modes { to_client: Mode::Silent, ..pass });
        assert_eq!(after(Direction::Both), Modes::both(Mode::Silent));
        assert_eq!(after(Direction::Out.reversed()), after(Direction::In));
    }
}
