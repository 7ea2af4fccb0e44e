//! Files that scenarios need, from the environment or their usual places.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use harness::checkout::{self, file_in};

use crate::Result;

/// The built page: the folder in `CHINWAG_DIST`, or `dist` in the checkout.
pub fn dist() -> Result<PathBuf> {
    let dist = match file_in("CHINWAG_DIST")? {
        Some(path) => path,
        None => checkout::root()?.join("dist"),
    };
    if !dist.join("index.html").is_file() {
        bail!(
            "there is no page in {}: run `cargo xtask page`, or name a folder in CHINWAG_DIST",
            dist.display()
        );
    }
    Ok(dist)
}

/// The script of axe-core, an accessibility checker: `CHINWAG_AXE`.
pub fn axe() -> Result<PathBuf> {
    file_in("CHINWAG_AXE")?.context(
        "axe-core is not there: `npm install axe-core`, and name its axe.min.js in CHINWAG_AXE (`cargo xtask test` does both)",
    )
}

/// The script with the gRPC-Web clients in JavaScript: `CHINWAG_JS_CLIENTS`.
pub fn js_clients() -> Result<PathBuf> {
    file_in("CHINWAG_JS_CLIENTS")?.context(
        "the clients in JavaScript are not there: name their script in CHINWAG_JS_CLIENTS (`cargo xtask test` makes it)",
    )
}

/// The folder with the server of gRPC's route guide, its contract and the contract's `FileDescriptorSet`: `CHINWAG_ROUTE_GUIDE`.
pub fn route_guide() -> Result<PathBuf> {
    file_in("CHINWAG_ROUTE_GUIDE")?.context(
        "the route guide is not there: name the folder of its server in CHINWAG_ROUTE_GUIDE (`cargo xtask test` makes it)",
    )
}
