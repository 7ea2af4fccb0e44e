//! The public conformance suite, a Go module: its runner in the cache of tools, its contracts in Go's.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{beside, cache, lock_home, replace};
use crate::command::{Program, program};
use crate::step::{note, say};

/// The suite, in the version that the expected numbers of cases belong to.
const MODULE: &str = "connectrpc.com/conformance";
const VERSION: &str = "v1.0.7";
/// The program that runs the suite.
const RUNNER: &str = "connectconformance";
/// The suite's server for gRPC, made of gRPC's library for Go.
const SERVER: &str = "grpcserver";
/// The variable that names the contracts' folder to `conformance/build.rs`.
const PROTOS: &str = "CHINWAG_CONFORMANCE_PROTOS";

/// The suite on this machine.
#[derive(Debug)]
pub(crate) struct Suite {
    /// The program that runs it.
    pub(crate) runner: PathBuf,
    /// Its server for gRPC, which stands behind our gateway.
    pub(crate) server: PathBuf,
    /// The folder that its contracts' imports start from.
    protos: PathBuf,
}

impl Suite {
    /// Finds or installs it.
    pub(crate) fn set_up() -> Result<Self> {
        if !cfg!(unix) {
            bail!("the programs under test need Unix");
        }
        if program("go", ["version"]).output().is_none() {
            bail!(
                "the conformance suite is installed by Go, and there is no `go`: see https://go.dev/doc/install"
            );
        }
        let home = programs()?;
        Ok(Self {
            runner: program_in(&home, RUNNER),
            server: program_in(&home, SERVER),
            protos: module()?.join("proto"),
        })
    }

    /// `program` with the contracts in its environment.
    pub(crate) fn contracts(&self, program: Program) -> Program {
        program.env(PROTOS, &self.protos)
    }
}

/// Installs the programs where they are not; returns their folder.
fn programs() -> Result<PathBuf> {
    let home = cache()?.join(format!("{RUNNER}-{VERSION}"));
    if are_right(&home) {
        note(&format!("{RUNNER} {VERSION}: in the cache"));
        return Ok(home);
    }
    let _lock = lock_home(&home)?;
    if !are_right(&home) {
        say(&format!("{RUNNER} {VERSION}: installing it, once for all clones; that takes about a minute"));
        let unfinished = beside(&home, "new");
        std::fs::create_dir_all(&unfinished)?;
        let packages = [RUNNER, SERVER].map(|name| format!("{MODULE}/cmd/{name}@{VERSION}"));
        program("go", ["install"])
            .arguments(packages)
            .env("GOBIN", &unfinished)
            .in_folder(&std::env::temp_dir())
            .run()?;
        replace(&unfinished, &home)?;
    }
    if !are_right(&home) {
        bail!("the programs in {} do not say that they are version {VERSION}", home.display());
    }
    Ok(home)
}

fn are_right(home: &Path) -> bool {
    [RUNNER, SERVER].iter().all(|name| super::version_of(&program_in(home, name)).as_deref() == Some(VERSION))
}

fn program_in(home: &Path, name: &str) -> PathBuf {
    home.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The folder of its source in Go's cache.
fn module() -> Result<PathBuf> {
    let wanted = format!("{MODULE}@{VERSION}");
    let words = ["mod", "download", "-json", wanted.as_str()];
    let answer = program("go", words).in_folder(&std::env::temp_dir()).output();
    let answer = answer.with_context(|| format!("`go {}` fails", words.join(" ")))?;
    folder(&answer).with_context(|| format!("`go {}` names no folder", words.join(" ")))
}

/// The member `Dir` of Go's answer, which has one member on each line.
fn folder(answer: &str) -> Option<PathBuf> {
    let value = answer.lines().find_map(|line| line.trim().strip_prefix("\"Dir\": \""))?;
    Some(value.split_once('"')?.0.replace("\\\\", "\\").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_module_is_read_from_gos_answer() {
        let answer =
            "{\n\t\"Path\": \"a.b/c\",\n\t\"Dir\": \"/go/pkg/mod/a.b/c@v1\",\n\t\"Sum\": \"h1:x=\"\n}";
        assert_eq!(folder(answer), Some(PathBuf::from("/go/pkg/mod/a.b/c@v1")));
        assert_eq!(folder("{\n\t\"Error\": \"no network\"\n}"), None);
    }
}
