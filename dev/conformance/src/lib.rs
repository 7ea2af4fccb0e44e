//! The programs under test of the public ConnectRPC conformance suite: clients of tonic-web-channel, native and in a
//! browser's page, and a server by tonic-serve. All use tonic's generated code, unchanged.
//!
//! No program knows a case of the suite by its name. Built without the suite's contracts (see `build.rs`), the
//! crate is empty; `cargo xtask conformance` builds it with them.

#[cfg(suite)]
mod case;
#[cfg(suite)]
mod client;
#[cfg(suite)]
mod metadata;
#[cfg(suite)]
pub mod pb;

#[cfg(all(suite, target_arch = "wasm32"))]
pub mod page;

#[cfg(all(suite, unix))]
pub mod bridge;
#[cfg(all(suite, unix))]
pub mod native;
#[cfg(all(suite, unix))]
mod pipe;
#[cfg(all(suite, unix))]
pub mod server;
#[cfg(all(suite, unix))]
mod service;
#[cfg(unix)]
pub mod tunnel;

/// The error message of programs that were built without the suite's contracts.
pub const NOT_BUILT: &str = "this was built without the conformance suite: run `cargo xtask conformance`";
