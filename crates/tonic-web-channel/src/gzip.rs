//! Gzip (RFC 1952) of whole messages: by `flate2` on native targets, by the browser's streams on wasm.
//!
//! The negotiation of encodings is not known here. ARCHITECTURE has the reason for the browser's streams, in the table
//! "Library or own code".

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::error::Error;

#[cfg(not(target_arch = "wasm32"))]
use self::native as engine;
#[cfg(target_arch = "wasm32")]
use self::web as engine;

/// A compression or decompression. `Send` on every target, because bodies hold it.
pub(crate) type Work = Pin<Box<dyn Future<Output = Result<Bytes, Error>> + Send>>;

/// Compresses `plain` to one gzip member.
///
/// Fails only where the target has no gzip: [`Error::Protocol`].
pub(crate) fn compress(plain: Bytes) -> Work {
    engine::compress(plain)
}

/// Decompresses one gzip member to at most `limit` bytes.
///
/// The limit applies while the output grows, so that a few bytes cannot fill the memory: [`Error::MessageTooLarge`]
/// above it, with the length of the output so far. [`Error::Protocol`] for invalid data, and when data follows the member.
pub(crate) fn decompress(compressed: Bytes, limit: usize) -> Work {
    engine::decompress(compressed, limit)
}

/// Whether the target has gzip. Browsers do since 2023.
pub(crate) fn is_supported() -> bool {
    engine::is_supported()
}

/// Decompresses a message that an observer got whole, to at most `limit` bytes.
///
/// For showing calls; callers of a channel get decompressed messages. [`Error::MessageTooLarge`] above the limit,
/// [`Error::Protocol`] for invalid data.
pub async fn gunzip(compressed: Bytes, limit: usize) -> Result<Bytes, Error> {
    decompress(compressed, limit).await
}

fn malformed(reason: impl std::fmt::Display) -> Error {
    Error::Protocol { reason: format!("invalid gzip data ({reason})") }
}

fn too_large(size: usize, limit: usize) -> Error {
    Error::MessageTooLarge { size: size as u64, limit }
}
