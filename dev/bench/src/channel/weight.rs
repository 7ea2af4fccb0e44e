//! Download size of a page that makes one unary call, and of a client's module with all kinds of call.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use super::client::Client;

/// The sizes of a client; `None` for what it does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    /// A page that makes one unary call.
    pub(crate) one_call: Option<Size>,
    /// The module that does the jobs: every kind of call that the client has.
    pub(crate) all_kinds: Option<Size>,
}

/// Sizes of all files together, bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) plain: usize,
    pub(crate) brotli: usize,
}

/// The sizes by client, of files in `pages`, each compressed separately.
pub(crate) fn of_pages(pages: &Path) -> Result<BTreeMap<Client, Weight>> {
    let mut weights = BTreeMap::new();
    for client in Client::value_variants() {
        let module = client.module();
        let folder = pages.join("one_call").join(module);
        if !folder.is_dir() {
            continue;
        }
        let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        let one_call = Some(of_files(files)?);
        let parts = [format!("{module}.js"), format!("{module}_bg.wasm")].map(|name| pages.join(name));
        let all_kinds = match client.has_request_streams() {
            true => Some(of_files(parts.into_iter().filter(|part| part.is_file()))?),
            false => None,
        };
        weights.insert(*client, Weight { one_call, all_kinds });
    }
    Ok(weights)
}

fn of_files(files: impl IntoIterator<Item = PathBuf>) -> Result<Size> {
    let mut size = Size::default();
    for file in files {
        let content = fs::read(file)?;
        size.plain += content.len();
        size.brotli += brotli(&content)?.len();
    }
    Ok(size)
}

/// Brotli as `dev/pack` does it for the application's page.
fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters).context("cannot compress")?;
    Ok(compressed)
}
