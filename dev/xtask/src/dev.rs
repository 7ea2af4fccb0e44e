//! `cargo xtask dev`: server and page, built again when a file changes.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};

use crate::command::{Running, cargo, interrupted, program};
use crate::page::{self, files, has_extension};
use crate::root;
use crate::step::Steps;
use crate::tools::Tools;

/// What the server is made of. trunk watches what the page is made of.
const SERVER_SOURCES: [&str; 3] = ["backend", "crates", "proto"];
/// How often the sources are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new(2);
    let tools = steps.step("Tools", Tools::set_up)?;
    let dist = page::for_development();
    let (mut server, mut page) = steps.step("Server and page, built again on change", || {
        std::fs::create_dir_all(&dist)?;
        let trunk = program("trunk", ["serve", "--dist"]).arguments([&dist]).env("PATH", tools.path()?);
        Ok((start_server()?, trunk.start()?))
    })?;
    println!("\nThe page is at http://127.0.0.1:8080 when trunk has built it. Ctrl-C stops both.\n");

    let mut newest = newest_source()?;
    let mut serves = true;
    while page.is_alive() && !interrupted() {
        std::thread::sleep(LOOK_INTERVAL);
        let now = newest_source()?;
        if now > newest {
            newest = now;
            println!("\nthe server's sources have changed");
            // A fault in the sources must not stop the server that runs, nor us.
            if cargo(["build", "--package", "backend"]).run().is_ok() {
                server.end();
                server = start_server()?;
                serves = true;
            }
        } else if serves && !server.is_alive() && !interrupted() {
            serves = false;
            println!("\nthe server has ended; it starts again when its sources change");
        }
    }
    server.end();
    match page.wait() {
        Ok(true) => Ok(()),
        Ok(false) => bail!("trunk ended by an error; it says why above"),
        // This is how it is meant to end.
        Err(_) if interrupted() => Ok(()),
        Err(error) => Err(error),
    }
}

fn start_server() -> Result<Running> {
    // The page's own origin, for a page that is told to call the server directly.
    cargo(["run", "--package", "backend", "--", "--cors-origin", "http://127.0.0.1:8080"]).start()
}

fn newest_source() -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for folder in SERVER_SOURCES {
        for file in files(&root().join(folder))? {
            if has_extension(&file, &["rs", "toml", "html"]) {
                newest = newest.max(modified(&file));
            }
        }
    }
    Ok(newest)
}

/// A file that vanished meanwhile has not been modified.
fn modified(file: &Path) -> SystemTime {
    file.metadata().and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}
