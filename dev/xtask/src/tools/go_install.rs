//! Servers for tests that Go installs into the cache of tools.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::{beside, cache, lock_home, replace};
use crate::command::program;
use crate::step::{note, say};

/// Pebble, a certificate authority.
pub(crate) fn pebble() -> Result<PathBuf> {
    go_install("pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble", "v2.10.3")
}

/// The server of NATS, which has the log of several servers of one chat.
pub(crate) fn nats_server() -> Result<PathBuf> {
    go_install("nats-server", "github.com/nats-io/nats-server/v2", "v2.15.2")
}

/// Finds or installs a program; returns its path.
fn go_install(name: &str, package: &str, version: &str) -> Result<PathBuf> {
    let home = cache()?.join(format!("{name}-{version}"));
    let installed = home.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if installed.exists() {
        note(&format!("{name} {version}: in the cache"));
        return Ok(installed);
    }
    if program("go", ["version"]).output().is_none() {
        bail!("{name} is installed by Go, and there is no `go`: see https://go.dev/doc/install");
    }
    let _lock = lock_home(&home)?;
    if !installed.exists() {
        say(&format!("{name} {version}: installing it, once for all clones; that takes about a minute"));
        let unfinished = beside(&home, "new");
        std::fs::create_dir_all(&unfinished)?;
        program("go", ["install"])
            .arguments([format!("{package}@{version}")])
            .env("GOBIN", &unfinished)
            .in_folder(&std::env::temp_dir())
            .run()?;
        replace(&unfinished, &home)?;
    }
    Ok(installed)
}
