//! A browser and its driver for the tests: found, or installed where that is ours to do.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command::program;
use crate::step::note;

/// Chromium or Chrome, and its driver.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) chrome: String,
    pub(crate) driver: String,
}

const CHROME_NAMES: [&str; 4] = ["chromium", "google-chrome", "chromium-browser", "chrome"];

impl Browser {
    pub(crate) fn set_up() -> Result<Self> {
        if let Some(browser) = Self::find() {
            return Ok(browser);
        }
        if may_install() {
            note("no browser: installing Debian's chromium and chromium-driver");
            program("apt-get", ["update"]).quiet()?;
            program(
                "apt-get",
                [
                    "install",
                    "--yes",
                    "--no-install-recommends",
                    "chromium",
                    "chromium-driver",
                    "fonts-noto-cjk",
                ],
            )
            .env("DEBIAN_FRONTEND", "noninteractive")
            .quiet()?;
        }
        match Self::find() {
            Some(browser) => Ok(browser),
            None => bail!(
                "the tests need Chromium or Chrome and the chromedriver of the same version: install them \
                 (Debian: `apt-get install chromium chromium-driver`) or set CHROME and CHROMEDRIVER to them"
            ),
        }
    }

    fn find() -> Option<Self> {
        let chrome = find("CHROME", &CHROME_NAMES)?;
        let driver = find("CHROMEDRIVER", &["chromedriver"])?;
        note(&format!("{}, {}", version(&chrome)?, version(&driver)?));
        Some(Self { chrome, driver })
    }
}

/// What `variable` names, or the first of `names` that answers.
fn find(variable: &str, names: &[&str]) -> Option<String> {
    let named = std::env::var(variable).ok().filter(|name| !name.is_empty());
    let mut candidates = named.into_iter().chain(names.iter().map(|name| (*name).to_owned()));
    candidates.find(|name| version(name).is_some()).map(|name| absolute(&name))
}

fn version(program_name: &str) -> Option<String> {
    let output = program(program_name, ["--version"]).output()?;
    output.lines().next().map(|line| line.split(" (").next().unwrap_or(line).trim().to_owned())
}

/// Those who start it may have another PATH.
fn absolute(name: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.map_or_else(|| name.to_owned(), |file| file.display().to_string())
}

/// Debian, and we are root.
fn may_install() -> bool {
    cfg!(target_os = "linux")
        && Path::new("/etc/debian_version").exists()
        && program("id", ["-u"]).output().as_deref() == Some("0")
}
