//! The bytes and headers of gRPC and gRPC-Web, without I/O.
//!
#![doc = include_str!("../README.md")]

pub mod content_type;
pub mod message;
pub mod metadata;
pub mod method;
pub mod reader;
pub mod status;
pub mod timeout;
pub mod web;
