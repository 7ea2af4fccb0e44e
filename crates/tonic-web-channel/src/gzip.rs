//! Gzip both ways: by `flate2` on native targets, by the browser's own streams on wasm.
//!
//! Whole messages go in and whole messages come out; what is compressed and how that is announced is not known here.
//! Format: RFC 1952.
//!
//! In the page, `flate2` would add 43 KB to what every visitor downloads, and its unpacking half alone 7 KB
//! (brotli, after wasm-opt). It would save time: in Chromium, unpacking 1 KB takes the browser's stream 0.5 ms and
//! `flate2` 0.05 ms, 100 KB 2.2 ms and 0.2 ms; packing 1 KB 0.7 ms and 0.15 ms, and from 10 KB on there is no
//! difference. Servers compress what is large or nothing at all, so the bytes decided.

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

/// Gzip at work. `Send` on every target, because bodies hold it.
pub(crate) type Work = Pin<Box<dyn Future<Output = Result<Bytes, Error>> + Send>>;

/// `plain` as one gzip member.
///
/// Fails only where the target has no gzip: [`Error::Protocol`].
pub(crate) fn compress(plain: Bytes) -> Work {
    engine::compress(plain)
}

/// What `packed` holds, which is at most `limit` bytes.
///
/// The limit is watched while it grows, so that a few bytes cannot fill the memory:
/// [`Error::MessageTooLarge`] above it, whose size is what had come out by then. [`Error::Protocol`] when
/// `packed` is no gzip, is cut off, or goes on after its end.
pub(crate) fn decompress(packed: Bytes, limit: usize) -> Work {
    engine::decompress(packed, limit)
}

/// Whether this target can do it: a browser of before 2023 may not.
pub(crate) fn is_supported() -> bool {
    engine::is_supported()
}

/// What a message holds that an observer was given whole and compressed by gzip: at most `limit` bytes.
///
/// For showing calls; the channel's callers get their messages unpacked. [`Error::MessageTooLarge`] above the
/// limit, [`Error::Protocol`] when it is no gzip.
pub async fn gunzip(packed: Bytes, limit: usize) -> Result<Bytes, Error> {
    decompress(packed, limit).await
}

fn malformed(reason: impl std::fmt::Display) -> Error {
    Error::Protocol { reason: format!("what is said to be gzip is not ({reason})") }
}

fn too_large(size: usize, limit: usize) -> Error {
    Error::MessageTooLarge { size: size as u64, limit }
}
