//! Messages and frames of gRPC for people to read and write.
//!
#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
pub mod codec;
pub mod decode;
pub mod descriptor;
pub mod encode;
pub mod form;
pub mod frame;
pub mod hex;
pub mod json;
pub mod json_text;
mod json_writer;
pub mod pool;
#[cfg(feature = "client")]
pub mod reflection;
mod time;
mod well_known;
mod wire;
mod wire_writer;
