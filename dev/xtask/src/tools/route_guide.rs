//! The server of gRPC's route guide in Go, and its contract, as a `.proto` file and compiled, in the cache of tools.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{beside, buf, cache, lock_home, replace};
use crate::command::program;
use crate::step::{note, say};

/// The examples of gRPC's library for Go.
const MODULE: &str = "google.golang.org/grpc/examples";
const VERSION: &str = "v0.0.0-20260825154716-030ee8becb20";
const PACKAGE: &str = "route_guide/server";
const CONTRACT: &str = "route_guide/routeguide/route_guide.proto";

/// Finds or builds it; returns the folder with `server`, `route_guide.proto` and `route_guide.binpb`.
pub(crate) fn route_guide() -> Result<PathBuf> {
    let home = cache()?.join(format!("route-guide-{VERSION}"));
    if home.is_dir() {
        note(&format!("route guide {VERSION}: in the cache"));
        return Ok(home);
    }
    if program("go", ["version"]).output().is_none() {
        bail!(
            "the route guide's server is built by Go, and there is no `go`: see https://go.dev/doc/install"
        );
    }
    let _lock = lock_home(&home)?;
    if !home.is_dir() {
        say("route guide: building its server, once for all clones; that takes about a minute");
        let unfinished = beside(&home, "new");
        build(&unfinished)?;
        replace(&unfinished, &home)?;
    }
    Ok(home)
}

/// `go install` refuses a module with replaced dependencies, so a module of our own requires it.
fn build(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("go.mod"), "module programs\n")?;
    let go = |words: &[&str]| program("go", words).in_folder(folder);
    let package = format!("{MODULE}/{PACKAGE}");
    go(&["get", &format!("{package}@{VERSION}")]).run()?;
    go(&["build", "-o", ".", &package]).run()?;
    let source = go(&["list", "-m", "-f", "{{.Dir}}", MODULE]).output();
    let source = PathBuf::from(source.context("Go does not name the module's folder")?);
    // Files in Go's cache cannot be written.
    let contract = fs::read(source.join(CONTRACT)).with_context(|| format!("cannot read {CONTRACT}"))?;
    fs::write(folder.join("route_guide.proto"), contract)?;
    let buf = buf()?.context("npm is not there to fetch buf, which compiles the contract")?;
    program(buf, ["build", ".", "-o", "route_guide.binpb"]).in_folder(folder).run()
}
