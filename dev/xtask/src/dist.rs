//! `cargo xtask dist`: the server, its page and the licences of its libraries in one file.

mod licences;

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::command::cargo;
use crate::page;
use crate::server::binary;
use crate::step::Steps;
use crate::target;
use crate::tools::WasmTools;

/// The profile of the program that is handed out.
pub(crate) const PROFILE: &str = "dist";

/// Builds the program and prints its path and size.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new(3);
    let tools = steps.step("Tools", WasmTools::set_up)?;
    steps.step("Page, optimised", || page::build(&tools))?;
    let program = steps.step("Program", || build(PROFILE))?;
    let size = fs::metadata(&program)?.len();
    println!("\n{} ({:.1} MB)", program.display(), size as f64 / 1e6);
    println!("It needs nothing beside it. `chinwag licences` prints the licences of its libraries.");
    Ok(())
}

/// Builds the program around the page in `dist/`; returns its path.
pub(crate) fn build(profile: &str) -> Result<PathBuf> {
    let list = target().join("licences.txt");
    let text = licences::text()?;
    // An unchanged file is not compiled again.
    if fs::read_to_string(&list).ok().as_ref() != Some(&text) {
        fs::write(&list, text)?;
    }
    cargo(["build", "--package", "backend", "--features", "dist", "--profile", profile])
        .env("CHINWAG_LICENCES", &list)
        .run()?;
    // cargo's name for the folder of the profile `dev`.
    Ok(binary(if profile == "dev" { "debug" } else { profile }))
}
