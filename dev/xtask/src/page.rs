//! The optimised page in `dist/`: built by trunk, made smaller, and compressed beforehand.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::command::program;
use crate::root;
use crate::server::target;
use crate::step::{Steps, note, show};
use crate::tools::{Tools, lock};

/// What the page is made of, and how.
const INPUTS: [&str; 10] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "crates",
    "frontend",
    "index.html",
    "proto",
    "rust-toolchain.toml",
    "dev/xtask/src/page.rs",
];
/// What is worth compressing.
const COMPRESSED: [&str; 5] = ["html", "js", "css", "wasm", "svg"];
/// What of WebAssembly our page uses, and every browser since 2023 has.
pub(crate) const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-mutable-globals",
    "--enable-multivalue",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// `cargo xtask page`.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new(2);
    let tools = steps.step("Tools", Tools::set_up)?;
    steps.step("Page, optimised", || build(&tools))
}

/// The folder that the page is built into.
pub(crate) fn dist() -> PathBuf {
    root().join("dist")
}

/// The folder for the page as it is while somebody writes it; the optimised one stays.
pub(crate) fn for_development() -> PathBuf {
    target().join("page-dev")
}

/// Builds the page, unless `dist/` has it from the same inputs. Of two at once in one checkout, one waits for the
/// other: trunk empties the folder that it builds into.
pub(crate) fn build(tools: &Tools) -> Result<()> {
    fs::create_dir_all(target())?;
    let _lock = lock(&target().join("page.lock"), "the page is being built already; waiting for that")?;
    let inputs = inputs(tools)?;
    // What lies in dist/ belongs to it: `trunk build` and `trunk serve` put another page there.
    let stamp = || Ok::<_, anyhow::Error>(format!("{inputs:016x} {:016x}", outputs()?));
    let stamp_file = target().join("page.stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|made| stamp().is_ok_and(|now| now == made)) {
        note("nothing has changed since it was built");
        return Ok(());
    }
    note("the first time takes two to four minutes");
    program("trunk", ["build", "--release", "--dist", "dist"]).env("PATH", tools.path()?).run()?;
    let started = Instant::now();
    if let Some(wasm_opt) = &tools.wasm_opt {
        for wasm in files(&dist())?.iter().filter(|file| has_extension(file, &["wasm"])) {
            if let Err(error) = shrink(wasm_opt, wasm) {
                note(&format!("wasm-opt failed, the page is somewhat larger without: {error:#}"));
            }
        }
        note(&format!("wasm-opt took {}", show(started.elapsed())));
    }
    let started = Instant::now();
    for file in files(&dist())?.iter().filter(|file| has_extension(file, &COMPRESSED)) {
        compress(file)?;
    }
    note(&format!("compressing took {}", show(started.elapsed())));
    fs::write(stamp_file, stamp()?)?;
    Ok(())
}

/// Makes a module smaller, in its place.
pub(crate) fn shrink(wasm_opt: &Path, wasm: &Path) -> Result<()> {
    let smaller = beside(wasm, "new");
    let files = [OsStr::new("-Oz"), wasm.as_os_str(), OsStr::new("-o"), smaller.as_os_str()];
    program(wasm_opt, files.into_iter().chain(WASM_FEATURES.map(OsStr::new))).quiet()?;
    Ok(fs::rename(smaller, wasm)?)
}

/// Writes `file.br` and `file.gz` beside `file`.
fn compress(file: &Path) -> Result<()> {
    let content = fs::read(file)?;
    fs::write(beside(file, "br"), brotli(&content)?)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&content)?;
    fs::write(beside(file, "gz"), gzip.finish()?)?;
    Ok(())
}

fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters).context("cannot compress")?;
    Ok(compressed)
}

fn beside(file: &Path, extension: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

pub(crate) fn has_extension(file: &Path, extensions: &[&str]) -> bool {
    file.extension().is_some_and(|own| extensions.iter().any(|one| own == *one))
}

/// Every file under `folder`, in order.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Stands for everything that the page is made of.
fn inputs(tools: &Tools) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    tools.fingerprint().hash(&mut hasher);
    for input in INPUTS {
        let path = root().join(input);
        let inputs = if path.is_dir() { files(&path)? } else { vec![path] };
        for file in inputs {
            file.strip_prefix(root())?.hash(&mut hasher);
            fs::read(&file)?.hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

/// Stands for the files in `dist/`: their names hold what is in them, or their lengths tell.
fn outputs() -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for file in files(&dist())? {
        file.hash(&mut hasher);
        file.metadata()?.len().hash(&mut hasher);
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_files_lie_beside_the_file_and_hold_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app-0123.css");
        let content = "a { color: red } ".repeat(100);
        fs::write(&file, &content).unwrap();

        compress(&file).unwrap();

        let mut brotli = Vec::new();
        brotli::BrotliDecompress(&mut &*fs::read(beside(&file, "br")).unwrap(), &mut brotli).unwrap();
        assert_eq!(brotli, content.as_bytes());
        let gzip = fs::read(folder.path().join("app-0123.css.gz")).unwrap();
        let text = std::io::read_to_string(flate2::read::GzDecoder::new(&*gzip)).unwrap();
        assert_eq!(text, content);
    }
}
