//! A headless Chromium that shows one page.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Error, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::{TempFolder, browser};

/// A browser with a fresh profile. Dropping it kills all its processes.
#[derive(Debug)]
pub struct Chromium {
    child: Child,
    group: Option<Pid>,
    // Dropped after the processes are killed.
    _profile: TempFolder,
}

impl Chromium {
    /// Starts `program` with the page at `url`. Its output goes to the file `log`, or nowhere.
    pub fn start(program: &Path, flags: &[&str], url: &str, log: Option<&Path>) -> Result<Self> {
        let profile = TempFolder::new().context("cannot make a folder for the browser's profile")?;
        let log = match log {
            Some(log) => {
                std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?.into()
            }
            None => Stdio::null(),
        };
        let child = Command::new(program)
            .args(browser::FLAGS)
            .args(flags)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(url)
            // The files that a killed browser leaves there are deleted with the profile.
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start the browser `{}`", program.display()))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Ok(Self { child, group, _profile: profile })
    }

    /// The process id.
    pub fn id(&self) -> Result<u32> {
        self.child.id().context("the browser has ended")
    }

    /// Waits for an end that nobody asked for.
    pub async fn ended(&mut self) -> Error {
        match self.child.wait().await {
            Ok(status) => anyhow!("the browser ended unexpectedly ({status})"),
            Err(error) => Error::from(error).context("cannot wait for the browser"),
        }
    }

    /// Kills its processes and waits for the end.
    pub async fn end(mut self) -> Result<()> {
        self.kill();
        self.child.wait().await.context("cannot wait for the browser")?;
        Ok(())
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            // It may have ended already.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.kill();
    }
}
