//! `cargo xtask run`: from a fresh clone to an address that can be opened.

use anyhow::{Result, bail};

use crate::command::{cargo, interrupted, program};
use crate::page;
use crate::server::{Server, binary};
use crate::step::{Steps, note};
use crate::tools::Tools;

pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let mut arguments = arguments.iter();
    let mut open = false;
    for argument in arguments.by_ref() {
        match *argument {
            "--open" => open = true,
            "--" => break,
            other => bail!("`cargo xtask run` does not know `{other}`; flags for the server come after `--`"),
        }
    }
    let mut flags: Vec<&str> = arguments.copied().collect();
    let dist = page::dist().display().to_string();
    if !flags.iter().any(|flag| *flag == "--page" || flag.starts_with("--page=")) {
        flags.extend(["--page", dist.as_str()]);
    }

    let mut steps = Steps::new(4);
    let tools = steps.step("Tools", Tools::set_up)?;
    steps.step("Page, optimised", || page::build(&tools))?;
    steps.step("Server", || {
        if !binary("release").exists() {
            note("the first time takes a minute or two");
        }
        cargo(["build", "--release", "--package", "backend"]).run()
    })?;
    let mut server = steps.step("Start", || Server::start(&binary("release"), &flags))?;

    println!("\nReady after {}. Open it in two browsers:\n\n    {}\n", steps.elapsed(), server.address);
    println!("Ctrl-C stops it. Nothing that was sent is lost.\n");
    if open {
        open_browser(&server.address);
    }
    match server.running.wait() {
        Ok(true) => Ok(()),
        Ok(false) => bail!("the server ended by an error; it says why above"),
        // This is how it is meant to end.
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
    // The browser may be what the opener leaves behind: its group is not ours to end.
    if program(opener[0], arguments).output().is_none() {
        note("no browser could be opened; open the address yourself");
    }
}
