//! `cargo xtask run`: from a fresh clone to an address that can be opened.

use anyhow::{Result, bail};

use crate::command::{cargo, interrupted, program};
use crate::page;
use crate::server::{Server, binary};
use crate::step::{Steps, say};
use crate::tools::WasmTools;

/// Starts the server with `flags`, and serves the optimised page unless they name another.
pub(crate) fn run(open: bool, mut flags: Vec<String>) -> Result<()> {
    if !flags.iter().any(|flag| flag == "--page" || flag.starts_with("--page=")) {
        flags.push(format!("--page={}", page::dist().display()));
    }

    let mut steps = Steps::new(4);
    let tools = steps.step("Tools", WasmTools::set_up)?;
    steps.step("Page, optimised", || page::build(&tools))?;
    steps.step("Server", || {
        if !binary("release").exists() {
            say("the first time takes two to four minutes");
        }
        cargo(["build", "--release", "--package", "backend"]).run()
    })?;
    let mut server = steps.step("Start", || Server::start(&binary("release"), &flags))?;

    println!("\nReady after {}. Open it in two browsers:\n\n    {}\n", steps.elapsed(), server.address);
    println!("Ctrl-C stops it. Nothing that was sent is lost.\n");
    if open {
        open_browser(&server.address);
    }
    match server.process.wait() {
        Ok(true) => Ok(()),
        Ok(false) => bail!("the server ended with an error; it is above"),
        // Ctrl-C is the way to end it.
        Err(_) if interrupted() => Ok(()),
        Err(error) => Err(error),
    }
}

fn open_browser(address: &str) {
    let opener: &[&str] = if cfg!(target_os = "macos") {
        &["open"]
    } else if cfg!(windows) {
        &["cmd", "/C", "start"]
    } else {
        &["xdg-open"]
    };
    let arguments = opener[1..].iter().copied().chain([address]);
    // Not as a `Child`: the browser may be in the opener's process group, and must not end with this program.
    if program(opener[0], arguments).output().is_none() {
        say("no browser could be opened; open the address yourself");
    }
}
