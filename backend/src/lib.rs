//! The server: Greeter, chat and page on one port. Also the gateway to other servers.
//!
//! `tonic_serve` does the HTTP side; this crate defines the services, and the order in which they start and stop.

pub mod chat;
pub mod commands;
pub mod config;
mod error_chain;
pub mod gateway;
pub mod greeter;
#[cfg(feature = "dist")]
mod inside;
mod metrics;
pub mod open_files;
pub mod rates;
mod server;
pub mod shutdown;
pub mod sockets;
pub mod systemd;
pub mod telemetry;
#[cfg(feature = "otlp")]
mod traces;

pub use self::commands::Command;
pub use self::config::Config;
pub use self::server::{Server, serve};
