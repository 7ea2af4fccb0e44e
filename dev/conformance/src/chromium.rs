//! A Chromium that shows one page, and ends with its owner.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Without a window, without anything that calls home, and content with the suite's certificates.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--enable-logging=stderr",
    "--ignore-certificate-errors",
];

/// The browser's processes. All of them are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Chromium {
    child: Child,
    group: Option<Pid>,
    // Removed after the processes are gone.
    profile: TempDir,
}

impl Chromium {
    /// Starts `program` with `page`. What it prints goes to the file `log`.
    pub(crate) fn start(program: &str, page: &str, log: &Path) -> Result<Self> {
        let profile = tempfile::tempdir().context("cannot make a folder for the browser's profile")?;
        let log = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(page)
            // What it leaves behind when it is killed goes with the profile.
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start the browser `{program}`"))?;
        let group = child.id().and_then(|id| id.try_into().ok()).map(Pid::from_raw);
        Ok(Self { child, group, profile })
    }

    /// Waits for its end, which nobody asked for.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => anyhow::anyhow!("the browser ended by itself ({status})"),
            Err(error) => anyhow::Error::from(error).context("cannot wait for the browser"),
        }
    }

    /// Ends its processes, and removes its profile when they are gone.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.kill();
        self.child.wait().await.context("cannot wait for the browser")?;
        // Its other processes may write a last file meanwhile; what is left is in the system's folder.
        std::fs::remove_dir_all(self.profile.path()).ok();
        Ok(())
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            // It may have ended already.
            killpg(group, Signal::SIGKILL).ok();
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.kill();
    }
}
