//! Our client with the server of grpc-webnext, and what the servers of both do with the same requests.
//!
//! Its client in our sockets is tested in `crates/tonic-serve/tests/it/peer.rs`.

mod client;
mod servers;
