//! Pebble, a certificate authority for tests, which Go installs into the cache of tools.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::{beside, cache, lock_home, replace};
use crate::command::program;
use crate::step::{note, say};

const PACKAGE: &str = "github.com/letsencrypt/pebble/v2/cmd/pebble";
const VERSION: &str = "v2.10.3";

/// Finds or installs it; returns its program.
pub(crate) fn pebble() -> Result<PathBuf> {
    let home = cache()?.join(format!("pebble-{VERSION}"));
    let installed = home.join(format!("pebble{}", std::env::consts::EXE_SUFFIX));
    if installed.exists() {
        note(&format!("pebble {VERSION}: in the cache"));
        return Ok(installed);
    }
    if program("go", ["version"]).output().is_none() {
        bail!("Pebble is installed by Go, and there is no `go`: see https://go.dev/doc/install");
    }
    let _lock = lock_home(&home)?;
    if !installed.exists() {
        say(&format!("pebble {VERSION}: installing it, once for all clones; that takes about a minute"));
        let unfinished = beside(&home, "new");
        std::fs::create_dir_all(&unfinished)?;
        program("go", ["install"])
            .arguments([format!("{PACKAGE}@{VERSION}")])
            .env("GOBIN", &unfinished)
            .in_folder(&std::env::temp_dir())
            .run()?;
        replace(&unfinished, &home)?;
    }
    Ok(installed)
}
