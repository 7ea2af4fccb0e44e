//! The programs as the suite starts them, without the suite.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[cfg(suite)]
mod client;
#[cfg(not(suite))]
mod not_built;
#[cfg(suite)]
mod server;
