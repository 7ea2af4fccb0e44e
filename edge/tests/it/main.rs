//! One port with small limits, and clients that do not behave.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod calls;
mod cors;
mod early;
mod echo;
mod limits;
mod shutdown;
mod support;
mod tls;
mod wire;
