//! Method tables of gRPC contracts, written as Rust source by a build script.
//!
#![doc = include_str!("../README.md")]

mod error;
#[cfg(feature = "protox")]
mod protos;
mod table;

pub use self::error::Error;
#[cfg(feature = "protox")]
pub use self::protos::compile;
pub use self::table::MethodTable;
