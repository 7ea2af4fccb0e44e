//! One port from outside: what a service behind it gets, and what clients that do not behave cost.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod budget;
mod buffered;
mod calls;
mod cors;
mod early;
mod echo;
mod limits;
mod shutdown;
mod support;
mod tls;
mod wire;
