//! The budget of a port: limits on connections, open calls and buffered bytes, in all and per address, and on buffered bytes
//! per connection.
//!
//! Knows neither TLS nor a version of HTTP nor what a call does. No task waits for a peer here: a limit either refuses, closes
//! a connection, or pauses one body.

mod account;
mod call;
mod connections;
mod report;
mod room;
mod state;

use std::time::Duration;

pub(crate) use self::call::{CallAccount, OpenCall};
pub(crate) use self::connections::{CLOSE_TIMEOUT, ConnectionPermit, Peer};
pub(crate) use self::room::{RequestCharge, RoomWait};
pub(crate) use self::state::{Budget, BudgetState};

/// Delay before a refused client may try again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Connections that may be open for a short time beyond a limit of `connections`: an eighth of them, at least one and at most
/// `max`. The limit of open files must have room for them.
pub(crate) fn connections_beyond(connections: usize, max: usize) -> usize {
    (connections / 8).clamp(1, max)
}

#[cfg(test)]
mod tests;
