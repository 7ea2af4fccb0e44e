//! `grpcwebproxy`, the server of two peers in the comparisons: a Go module. It is optional.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{beside, cache, lock_home, replace};
use crate::command::program;
use crate::step::{note, say};

const MODULE: &str = "github.com/improbable-eng/grpc-web/go/grpcwebproxy";
const VERSION: &str = "v0.15.0";
const NAME: &str = "grpcwebproxy";

/// The program, installed where it is not; `None` without Go, or when Go cannot fetch it.
pub(crate) fn grpc_web_proxy() -> Result<Option<PathBuf>> {
    let home = cache()?.join(format!("{NAME}-{VERSION}"));
    let file = program_in(&home);
    if file.is_file() {
        note(&format!("{NAME} {VERSION}: in the cache"));
        return Ok(Some(file));
    }
    if program("go", ["version"]).output().is_none() {
        say(&format!("{NAME}: there is no `go` to install it; its clients are left out"));
        return Ok(None);
    }
    let _lock = lock_home(&home)?;
    if !file.is_file() {
        say(&format!("{NAME} {VERSION}: installing it, once for all clones; that takes half a minute"));
        let unfinished = beside(&home, "new");
        std::fs::create_dir_all(&unfinished)?;
        let installed = program("go", ["install"])
            .arguments([format!("{MODULE}@{VERSION}")])
            .env("GOBIN", &unfinished)
            .in_folder(&std::env::temp_dir())
            .run();
        if let Err(error) = installed {
            say(&format!("Go cannot install {NAME}: {error:#}"));
            return Ok(None);
        }
        replace(&unfinished, &home)?;
    }
    Ok(Some(file))
}

fn program_in(home: &Path) -> PathBuf {
    home.join(format!("{NAME}{}", std::env::consts::EXE_SUFFIX))
}
