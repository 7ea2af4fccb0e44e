//! The channel against a real server, by a client that `tonic` generated (`grpc.health.v1`).
#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod ending;
mod identity;
mod in_process;
mod native;
mod responses;
mod retries;
#[cfg(feature = "socket")]
mod socket;
#[cfg(feature = "socket")]
mod socket_cuts;
mod statuses;
mod subscription;
mod support;
mod tls;
