//! One port as clients see it: the behaviour of calls, and the cost of hostile clients.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod base_path;
mod budget;
mod buffered;
mod calls;
mod cors;
mod early;
mod echo;
mod files;
#[cfg(feature = "gateway")]
mod gateway;
#[cfg(feature = "gateway")]
mod gateway_health;
mod headers;
mod health_paths;
mod hosts;
mod limits;
mod observer;
mod pauses;
mod peer;
mod proxy;
mod raw;
mod shutdown;
mod slow;
mod socket;
mod socket_ends;
mod socket_limits;
mod sockets;
mod stalls;
mod support;
mod tls;
mod wire;
