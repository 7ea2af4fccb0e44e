//! The two programs that the public ConnectRPC conformance suite runs: a client, which is our channel in a
//! browser's page, and a server, which is our edge. Both use what `tonic` generates, unchanged.
//!
//! Neither knows a case of the suite by its name. Built without the suite's contracts (see `build.rs`), the
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
mod chromium;
#[cfg(all(suite, unix))]
pub mod native;
#[cfg(all(suite, unix))]
mod pipe;
#[cfg(all(suite, unix))]
pub mod server;
#[cfg(all(suite, unix))]
mod service;

/// What the programs say when they were built without the suite's contracts.
pub const NOT_BUILT: &str = "this was built without the conformance suite: run `cargo xtask conformance`";
