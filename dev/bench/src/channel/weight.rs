//! Download size of a page that makes one unary call.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use super::case::Client;

/// Sizes of all files together, bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    pub(crate) plain: usize,
    pub(crate) brotli: usize,
}

/// The sizes by client: of the files in its folder in `folder`, each compressed separately.
pub(crate) fn of_pages(folder: &Path) -> Result<BTreeMap<Client, Weight>> {
    let mut weights = BTreeMap::new();
    for client in Client::value_variants() {
        let folder = folder.join(client.module());
        if folder.is_dir() {
            weights.insert(*client, of_files(&folder)?);
        }
    }
    Ok(weights)
}

fn of_files(folder: &Path) -> Result<Weight> {
    let mut weight = Weight { plain: 0, brotli: 0 };
    for entry in fs::read_dir(folder)? {
        let content = fs::read(entry?.path())?;
        weight.plain += content.len();
        weight.brotli += brotli(&content)?.len();
    }
    Ok(weight)
}

/// Brotli as `dev/pack` does it for the application's page.
fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters).context("cannot compress")?;
    Ok(compressed)
}
