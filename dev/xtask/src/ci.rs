//! `cargo xtask ci`: the checks of a change, those that fail soonest first.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::command::{cargo, program};
use crate::step::{Steps, note, say};
use crate::test::ALL_FEATURES;
use crate::tools::{Suite, buf, cargo_deny, wasm_target};
use crate::{house, manifests, root, test};

pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new(9);
    // Elsewhere it is optional.
    let suite = steps.step("The conformance suite", Suite::set_up)?;
    steps.step("Format", || cargo(["fmt", "--all", "--check"]).run())?;
    steps.step("House style", house::check)?;
    steps.step("Lints, host", || lint_host(&suite))?;
    steps.step("Lints, wasm", || lint_wasm(&suite))?;
    steps.step("Documentation", || document(&suite))?;
    steps.step("Contracts", lint_contracts)?;
    steps.step("Licences and sources", || {
        // Advisories are fetched from the web, so they are not part of this.
        let words = "--log-level error check bans licenses sources";
        program(cargo_deny()?, words.split(' ')).run()
    })?;
    steps.step("Packages of the libraries", package)?;
    test::run()
}

fn lint_host(suite: &Suite) -> Result<()> {
    let lint = |what: &str| {
        let words = format!("clippy {what} --all-targets -- -D warnings");
        suite.contracts(cargo(words.split(' '))).run()
    };
    lint(&format!("--workspace --features {ALL_FEATURES}"))?;
    lint("-p tonic-web-channel --features tls,socket")
}

fn lint_wasm(suite: &Suite) -> Result<()> {
    wasm_target()?;
    let lint = |what: &str| {
        let words = format!("clippy --target wasm32-unknown-unknown {what} -- -D warnings");
        suite.contracts(cargo(words.split(' '))).run()
    };
    lint("-p proto -p tonic-web-channel -p tonic-web-devtools -p conformance -p frontend")?;
    lint("-p frontend --features split")?;
    lint("-p bench-page --lib --examples")?;
    // The other packages' tests are for the host.
    lint("-p tonic-web-channel --features tonic-web-wasm-client")?;
    lint("-p tonic-web-channel -p tonic-web-devtools -p frontend --tests")
}

/// The documentation of all packages, and of the channel for browsers.
fn document(suite: &Suite) -> Result<()> {
    let document = |what: &str| {
        let words = format!("doc --no-deps --quiet {what}");
        suite.contracts(cargo(words.split(' ')).env("RUSTDOCFLAGS", "-D warnings")).run()
    };
    // With the features of the lints, which have checked the dependencies with them.
    document(&format!("--workspace --features {ALL_FEATURES}"))?;
    document("-p tonic-web-channel --target wasm32-unknown-unknown")
}

/// `buf lint`, as `proto/buf.yaml` configures it.
fn lint_contracts() -> Result<()> {
    if !root().join("proto/buf.yaml").is_file() {
        note("skipped: there is no proto/buf.yaml");
        return Ok(());
    }
    match buf()? {
        Some(buf) => program(buf, ["lint", "proto"]).run(),
        None => {
            say("skipped: npm is not there to fetch buf");
            Ok(())
        }
    }
}

/// Packages every library that may be published. Its manifest must not lead to a warning.
fn package() -> Result<()> {
    let mut packages = Vec::new();
    for manifest in manifests(&root().join("crates"))? {
        let text = fs::read_to_string(&manifest)?;
        if !text.contains("publish.workspace = true") && !text.contains("publish = false") {
            packages.extend(["--package".to_owned(), folder_name(&manifest)]);
        }
    }
    if packages.is_empty() {
        note("no library may be published");
        return Ok(());
    }
    // The workspace's own builds verify the code. A commit is checked before it is made, too.
    let package = cargo(["package", "--no-verify", "--allow-dirty"]).arguments(packages);
    let output = package.run_reading()?;
    let warnings: Vec<_> = output.iter().filter(|line| line.starts_with("warning")).collect();
    ensure!(warnings.is_empty(), "cargo warns of a manifest: {warnings:#?}");
    Ok(())
}

fn folder_name(manifest: &Path) -> String {
    let folder = manifest.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}
