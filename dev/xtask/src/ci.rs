//! `cargo xtask ci`: the checks of a change, those that fail soonest first.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::browser::Browser;
use crate::command::{cargo, program};
use crate::step::{Steps, note, say};
use crate::test::ALL_FEATURES;
use crate::tools::{Suite, Tools, buf, cargo_deny, wasm_target};
use crate::{house, root, target, test};

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

/// `cargo xtask examples`: builds every example, and runs the command that an example names:
///
/// ```toml
/// [package.metadata.chinwag]
/// ci = "cargo run -- --check"
/// ```
///
/// The words of `ci` are a program and its arguments. It runs in the example's folder, with the tools on PATH, instead of
/// the build. An example that is a workspace writes `[workspace.metadata.chinwag]`.
pub(crate) fn examples() -> Result<()> {
    let manifests = manifests(&root().join("examples"))?;
    if manifests.is_empty() {
        note("there are no examples");
        return Ok(());
    }
    let (tools, browser) = (Tools::set_up()?, Browser::set_up()?);
    for manifest in manifests {
        let text = fs::read_to_string(&manifest)?;
        let command = ci_command(&text).unwrap_or("cargo build");
        let (name, arguments) = command.split_once(' ').unwrap_or((command, ""));
        program(name, arguments.split_terminator(' '))
            .in_folder(manifest.parent().context("a manifest has a folder")?)
            // The examples share most dependencies.
            .env("CARGO_TARGET_DIR", target().join("examples"))
            .env("PATH", tools.path()?)
            .env("CHROME", &browser.chrome)
            .env("CHROMEDRIVER", &browser.driver)
            .run()
            .with_context(|| format!("example {}", folder_name(&manifest)))?;
    }
    Ok(())
}

/// The value of `ci` under `[package.metadata.chinwag]` or `[workspace.metadata.chinwag]`.
fn ci_command(manifest: &str) -> Option<&str> {
    let (_, section) = manifest.split_once(".metadata.chinwag]")?;
    let section = section.split("\n[").next()?;
    section.lines().find_map(|line| line.strip_prefix("ci = \"")?.strip_suffix('"'))
}

/// The manifests of the packages that stand side by side in `folder`.
fn manifests(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry?.path().join("Cargo.toml"));
    }
    found.retain(|manifest| manifest.is_file());
    found.sort();
    Ok(found)
}

fn folder_name(manifest: &Path) -> String {
    let folder = manifest.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_an_example_is_read_from_its_own_section() {
        let manifest = "[package]\nci = \"no\"\n\n[package.metadata.chinwag]\nci = \"cargo run -- --check\"\n\n[lints]\n";
        assert_eq!(ci_command(manifest), Some("cargo run -- --check"));
        assert_eq!(ci_command("[package.metadata.chinwag]\n[lints]\nci = \"no\"\n"), None);
        assert_eq!(ci_command("[workspace.metadata.chinwag]\nci = \"./check\"\n"), Some("./check"));
        assert_eq!(ci_command("[package]\n"), None);
    }
}
