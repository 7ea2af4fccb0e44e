//! Files compressed beforehand, which the server sends as they are.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Writes `file.br` and `file.gz` beside `file`.
pub(crate) fn compress(file: &Path) -> Result<()> {
    let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    fs::write(with_suffix(file, ".br"), brotli(&content)?)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&content)?;
    fs::write(with_suffix(file, ".gz"), gzip.finish()?)?;
    Ok(())
}

pub(crate) fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    // Short blocks suit modules, whose sections differ.
    let parameters =
        brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, lgblock: 16, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters).context("cannot compress")?;
    Ok(compressed)
}

pub(crate) fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_files_stand_beside_the_file_and_hold_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app-0123.css");
        let content = "a { color: red } ".repeat(100);
        fs::write(&file, &content).unwrap();

        compress(&file).unwrap();

        let mut plain = Vec::new();
        brotli::BrotliDecompress(&mut &*fs::read(with_suffix(&file, ".br")).unwrap(), &mut plain).unwrap();
        assert_eq!(plain, content.as_bytes());
        let gzip = fs::read(folder.path().join("app-0123.css.gz")).unwrap();
        let text = std::io::read_to_string(flate2::read::GzDecoder::new(&*gzip)).unwrap();
        assert_eq!(text, content);
    }
}
