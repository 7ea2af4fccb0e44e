//! `cargo xtask ci`: what the gate runs, in order of what fails soonest.

use anyhow::Result;

use crate::command::{cargo, program};
use crate::step::{Steps, note};
use crate::test;
use crate::tools::Suite;

pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new(6);
    // Here it has to be there.
    let suite = steps.step("The conformance suite", Suite::set_up)?;
    steps.step("Format", || cargo(["fmt", "--all", "--check"]).run())?;
    steps.step("Lints, host", || {
        let lint = cargo([
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            "xtask/codegen,xtask/weigh,proto/server",
            "--",
            "-D",
            "warnings",
        ]);
        suite.contracts(lint).run()?;
        cargo("clippy -p channel --features tls --all-targets -- -D warnings".split(' ')).run()
    })?;
    steps.step("Lints, wasm", || {
        crate::tools::wasm_target()?;
        let lint = |what: &str| {
            let lint = format!("clippy --target wasm32-unknown-unknown {what} -- -D warnings");
            suite.contracts(cargo(lint.split(' '))).run()
        };
        lint("-p proto -p channel -p conformance -p frontend")?;
        lint("-p bench-page --lib --examples")?;
        // The others' tests are for the host.
        lint("-p channel --features tonic-web-wasm-client")?;
        lint("-p channel -p frontend --tests")
    })?;
    steps.step("Documentation", || {
        let document = cargo(["doc", "--workspace", "--no-deps", "--quiet"]);
        suite.contracts(document.env("RUSTDOCFLAGS", "-D warnings")).run()
    })?;
    steps.step("Licences and advisories", || {
        if program("cargo-deny", ["--version"]).output().is_none() {
            note("skipped: cargo-deny is not installed");
            return Ok(());
        }
        // Advisories are fetched from the web, so they are not part of the gate.
        let arguments = "deny --log-level error check bans licenses sources";
        cargo(arguments.split(' ')).run()
    })?;
    test::run()
}
