//! The server from outside: a real listener, real clients, a real database file.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod cors;
mod deadlines;
mod discovery;
mod greeter;
mod grpc_web;
mod page;
mod program;
mod support;
