//! The commands from outside.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[cfg(unix)]
mod ended;
