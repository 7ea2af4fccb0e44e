//! The suite's messages, its client and its service, as `build.rs` makes them.
#![allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    reason = "generated; the documentation is in the suite's .proto files"
)]

tonic::include_proto!("connectrpc.conformance.v1");

/// The methods of the service, for the channel.
pub(crate) fn methods() -> impl IntoIterator<Item = tonic_web_channel::Method> {
    use tonic_web_channel::{Idempotency, Method, MethodKind};
    include!(concat!(env!("OUT_DIR"), "/methods.rs"))
}

/// The same for the edge.
#[cfg(unix)]
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
