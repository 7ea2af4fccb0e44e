//! The suite's messages, its client and its service, as `build.rs` makes them.
#![allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    reason = "generated; the documentation is in the suite's .proto files"
)]

tonic::include_proto!("connectrpc.conformance.v1");
