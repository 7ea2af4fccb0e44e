//! The server: Greeter, chat and page on one port.
//!
//! The HTTP side is `edge`'s; here is what is served, and in which order it starts and stops.

pub mod chat;
pub mod commands;
pub mod config;
pub mod greeter;
pub mod open_files;
pub mod rates;
mod server;
pub mod shutdown;
pub mod telemetry;

pub use self::commands::Command;
pub use self::config::Config;
pub use self::server::{Server, serve};
