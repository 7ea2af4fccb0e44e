//! The commands as a person or another program starts them.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[cfg(unix)]
mod ended;
