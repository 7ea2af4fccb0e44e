//! gRPC-Web: trailers in the body, and bodies as text.
//!
//! Specification: `PROTOCOL-WEB.md`.

pub mod text;
pub mod trailers;

/// Flag of the frame that holds the trailers.
pub const TRAILERS: u8 = 0b1000_0000;
