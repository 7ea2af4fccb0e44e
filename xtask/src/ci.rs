//! `cargo xtask ci`: what the gate runs, in order of what fails soonest.

use anyhow::Result;

use crate::command::{cargo, program};
use crate::step::{Steps, note};
use crate::test;

pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new(5);
    steps.step("Format", || cargo(["fmt", "--all", "--check"]).run())?;
    steps.step("Lints, host", || {
        cargo([
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            "xtask/codegen",
            "--",
            "-D",
            "warnings",
        ])
        .run()
    })?;
    steps.step("Lints, wasm", || {
        let arguments =
            "clippy --target wasm32-unknown-unknown -p proto -p channel -p frontend -- -D warnings";
        crate::tools::wasm_target()?;
        cargo(arguments.split(' ')).run()
    })?;
    steps.step("Documentation", || {
        cargo(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings").run()
    })?;
    steps.step("Licences and advisories", || {
        if program("cargo-deny", ["--version"]).output().is_none() {
            note("skipped: cargo-deny is not installed");
            return Ok(());
        }
        // Advisories are fetched from the web, so they are not part of the gate.
        cargo(["deny", "check", "bans", "licenses", "sources"]).run()
    })?;
    test::run()
}
