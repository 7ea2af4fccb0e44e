//! The browsers and their drivers for the tests: found, or installed on a Debian of which this user is root.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::program;
use crate::debian::{install, may_install};
use crate::step::{note, say};
use crate::tools::geckodriver;

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
            install(&PACKAGES)?;
        }
        let browser = Self::find()?;
        note_versions([&browser.chrome, &browser.driver]);
        Ok(browser)
    }

    fn find() -> Result<Self> {
        Ok(Self { chrome: harness::browser::chrome()?, driver: harness::browser::chromedriver()? })
    }
}

/// Firefox and its driver.
#[derive(Debug)]
pub(crate) struct Firefox {
    pub(crate) firefox: PathBuf,
    pub(crate) driver: PathBuf,
}

impl Firefox {
    pub(crate) fn set_up() -> Result<Self> {
        if harness::browser::firefox().is_err() && may_install() {
            say("no Firefox: installing Debian's firefox-esr");
            install(&["firefox-esr"])?;
        }
        let firefox = harness::browser::firefox()?;
        let driver = match harness::browser::geckodriver() {
            Ok(driver) => driver,
            Err(_) => geckodriver()?,
        };
        note_versions([&firefox, &driver]);
        Ok(Self { firefox, driver })
    }
}

fn note_versions(programs: [&PathBuf; 2]) {
    for file in programs {
        let version = program(file, ["--version"]).output().unwrap_or_default();
        note(version.lines().next().unwrap_or_default());
    }
}
