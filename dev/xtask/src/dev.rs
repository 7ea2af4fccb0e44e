//! `cargo xtask dev`: server and page, rebuilt when a file changes.

use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};

use crate::command::{Child, cargo, interrupted, program};
use crate::page::{self, files};
use crate::root;
use crate::step::Steps;
use crate::tools::Tools;

/// The server's sources. trunk watches those of the page.
const SERVER_SOURCES: [&str; 3] = ["backend", "crates", "proto"];
/// Pause between two looks at the sources.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new(2);
    let tools = steps.step("Tools", Tools::set_up)?;
    let dist = page::for_development();
    let (mut server, mut page) = steps.step("Server and page", || {
        std::fs::create_dir_all(&dist)?;
        let trunk = program("trunk", ["serve", "--dist"]).arguments([&dist]).env("PATH", tools.path()?);
        Ok((start_server()?, trunk.start()?))
    })?;
    println!("\nThe page is at http://127.0.0.1:8080 when trunk has built it. Ctrl-C stops both.\n");

    let mut newest = newest_source()?;
    let mut serves = true;
    while page.is_alive() && !interrupted() {
        std::thread::sleep(POLL_INTERVAL);
        let now = newest_source()?;
        if now > newest {
            newest = now;
            println!("\nthe server's sources have changed; building it");
            // A compile error must not stop the running server.
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
        Ok(false) => bail!("trunk ended with an error; it is above"),
        // Ctrl-C is the way to end it.
        Err(_) if interrupted() => Ok(()),
        Err(error) => Err(error),
    }
}

fn start_server() -> Result<Child> {
    // The page's origin, for a page that calls the server directly.
    cargo(["run", "--package", "backend", "--", "--cors-origin", "http://127.0.0.1:8080"]).start()
}

fn newest_source() -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for folder in SERVER_SOURCES {
        for file in files(&root().join(folder))? {
            if file.extension().is_some_and(|own| ["rs", "toml", "html"].iter().any(|one| own == *one)) {
                // A file that was deleted meanwhile has not been modified.
                let modified = file.metadata().and_then(|data| data.modified());
                newest = newest.max(modified.unwrap_or(SystemTime::UNIX_EPOCH));
            }
        }
    }
    Ok(newest)
}
