//! The programs and files that a scenario needs, from the environment or where they usually are.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use crate::Result;

/// The server: `CHINWAG_BACKEND`, or the one that cargo built beside this program.
pub(crate) fn backend() -> Result<PathBuf> {
    if let Some(path) = given("CHINWAG_BACKEND")? {
        return Ok(path);
    }
    let own = env::current_exe()?;
    let beside =
        own.ancestors().skip(1).take(2).map(|folder| folder.join("chinwag")).find(|path| path.is_file());
    beside.context("there is no server to test: run `cargo build -p backend`, or name one in CHINWAG_BACKEND")
}

/// The built page: `CHINWAG_DIST`, or `dist` in the workspace.
pub(crate) fn dist() -> Result<PathBuf> {
    let dist = match given("CHINWAG_DIST")? {
        Some(path) => path,
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist"),
    };
    if !dist.join("index.html").is_file() {
        bail!(
            "there is no page in {}: run `cargo xtask page`, or name a folder in CHINWAG_DIST",
            dist.display()
        );
    }
    Ok(dist)
}

/// The browser: `CHROME`, or one on the path.
pub(crate) fn chrome() -> Result<PathBuf> {
    program("CHROME", &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]).context(
        "there is no browser: install Chromium or Chrome (Debian: `apt install chromium`), or name one in CHROME",
    )
}

/// The browser's WebDriver: `CHROMEDRIVER`, or the one on the path.
pub(crate) fn chromedriver() -> Result<PathBuf> {
    program("CHROMEDRIVER", &["chromedriver"]).context(
        "there is no chromedriver: install the browser's own (Debian: `apt install chromium-driver`), or name one in CHROMEDRIVER",
    )
}

/// axe-core, which looks for barriers: `CHINWAG_AXE`.
pub fn axe() -> Result<PathBuf> {
    given("CHINWAG_AXE")?.context(
        "axe-core is not there: `npm install axe-core`, and name its axe.min.js in CHINWAG_AXE (`cargo xtask test` does both)",
    )
}

/// The script with gRPC-Web clients of others: `CHINWAG_JS_CLIENTS`.
pub fn js_clients() -> Result<PathBuf> {
    given("CHINWAG_JS_CLIENTS")?.context(
        "the clients in JavaScript are not there: name their script in CHINWAG_JS_CLIENTS (`cargo xtask test` makes it)",
    )
}

fn program(variable: &str, names: &[&str]) -> Result<PathBuf> {
    if let Some(path) = given(variable)? {
        return Ok(path);
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|path| path.is_file());
    found.context("it is not on the path")
}

fn given(variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    if !path.exists() {
        bail!("{variable} names {}, which does not exist", path.display());
    }
    // A test's working directory is its package's.
    Ok(Some(path.canonicalize()?))
}
