//! The files inside a distributed program: the page, and the licences of its libraries.

use std::borrow::Cow;

use bytes::Bytes;
use rust_embed::RustEmbed;
use tonic_serve::Page;

/// The licences of all libraries in the program and in its page, as `cargo xtask dist` writes them.
pub(crate) const LICENCES: &str = include_str!(env!("CHINWAG_LICENCES"));

/// The optimised page, with its compressed neighbours.
#[derive(RustEmbed)]
#[folder = "../dist"]
struct Files;

/// The page.
pub(crate) fn page() -> Page {
    Page::in_memory(Files::iter().filter_map(|path| {
        let content = match Files::get(&path)?.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        Some((path.into_owned(), content))
    }))
}
