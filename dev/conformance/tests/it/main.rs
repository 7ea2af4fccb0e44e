//! The programs as the suite starts them, without the suite.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[cfg(all(suite, unix))]
mod client;
#[cfg(not(suite))]
mod not_built;
#[cfg(all(suite, unix))]
mod server;
#[cfg(unix)]
mod tunnel;
