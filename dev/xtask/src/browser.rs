//! A browser and its driver for the tests: found, or installed on a Debian of which this user is root.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::command::program;
use crate::step::{note, say};

const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "fonts-noto-cjk"];

/// Chromium or Chrome, and its driver.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) chrome: PathBuf,
    pub(crate) driver: PathBuf,
}

impl Browser {
    pub(crate) fn set_up() -> Result<Self> {
        if Self::find().is_err() && may_install() {
            say("no browser: installing Debian's chromium and chromium-driver");
            program("apt-get", ["update"]).run()?;
            program("apt-get", ["install", "--yes", "--no-install-recommends"])
                .arguments(PACKAGES)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .run()?;
        }
        let browser = Self::find()?;
        for file in [&browser.chrome, &browser.driver] {
            note(&program(file, ["--version"]).output().unwrap_or_default());
        }
        Ok(browser)
    }

    fn find() -> Result<Self> {
        Ok(Self { chrome: harness::browser::chrome()?, driver: harness::browser::chromedriver()? })
    }
}

fn may_install() -> bool {
    cfg!(target_os = "linux")
        && Path::new("/etc/debian_version").exists()
        && program("id", ["-u"]).output().as_deref() == Some("0")
}
