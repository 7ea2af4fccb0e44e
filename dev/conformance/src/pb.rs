//! The suite's messages, its client and its service, as `build.rs` makes them.
#![allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    reason = "generated; the documentation is in the suite's .proto files"
)]

tonic::include_proto!("connectrpc.conformance.v1");

include!(concat!(env!("OUT_DIR"), "/methods.rs"));

/// The contracts' descriptors, for the server.
#[cfg(unix)]
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
