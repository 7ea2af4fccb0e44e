//! A headless browser with a fresh profile and one page.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Nothing that fetches, asks or waits by itself.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-search-engine-choice-screen",
];

/// How long the last of its processes may still write after it was killed.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Killed when dropped.
pub(crate) struct Browser {
    child: Child,
    profile: TempDir,
}

impl Browser {
    pub(crate) async fn open(program: &Path, url: &str) -> Result<Self> {
        let profile = tempfile::Builder::new().prefix("chinwag-bench-").tempdir()?;
        let mut command = Command::new(program);
        command.args(ARGUMENTS).arg(format!("--user-data-dir={}", profile.path().display())).arg(url);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child, profile })
    }

    /// Its process's number.
    pub(crate) fn id(&self) -> Result<u32> {
        self.child.id().context("the browser has ended")
    }

    /// Ends it, and deletes its profile as soon as its other processes have noticed.
    pub(crate) async fn close(mut self) {
        // It may have ended already.
        self.child.kill().await.ok();
        let killed = Instant::now();
        while std::fs::remove_dir_all(self.profile.path()).is_err() && killed.elapsed() < LAST_WRITES {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
