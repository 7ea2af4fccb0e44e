//! Captured gRPC frames for people to read.
//!
#![doc = include_str!("../README.md")]

pub mod descriptor;
pub mod frame;
pub mod hex;
pub mod json;
mod json_writer;
mod wire;
