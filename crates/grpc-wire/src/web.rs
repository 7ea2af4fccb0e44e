//! gRPC-Web: frames in a body without HTTP trailers.
//!
//! Specification: `PROTOCOL-WEB.md`.

mod frames;
pub mod text;
pub mod trailers;

pub use self::frames::{BodyEnd, FrameError, Frames, Piece, TRAILERS};
