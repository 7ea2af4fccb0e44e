//! Chromium, Firefox and their WebDrivers on this machine, and the flags that every suite starts Chromium with.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

/// Headless, and without requests and questions of the browser's own.
pub const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-search-engine-choice-screen",
];

/// The browser of the end-to-end tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Chromium or Chrome.
    Chromium,
    /// Firefox.
    Firefox,
}

impl Kind {
    /// The environment variable that chooses it.
    pub const VARIABLE: &str = "CHINWAG_E2E_BROWSER";

    /// The one that `CHINWAG_E2E_BROWSER` names, `chromium` or `firefox`; Chromium when it is not set.
    pub fn chosen() -> Result<Self> {
        match env::var(Self::VARIABLE).unwrap_or_default().as_str() {
            "" | "chromium" => Ok(Self::Chromium),
            "firefox" => Ok(Self::Firefox),
            other => bail!("{} is {other:?}, and neither `chromium` nor `firefox`", Self::VARIABLE),
        }
    }
}

const CHROME_NAMES: [&str; 5] =
    ["chromium", "google-chrome", "chromium-browser", "google-chrome-stable", "chrome"];

/// Chromium or Chrome: the program in `CHROME`, or one on PATH.
pub fn chrome() -> Result<PathBuf> {
    program("CHROME", &CHROME_NAMES).context(
        "there is no browser: install Chromium or Chrome (Debian: `apt-get install chromium`), or name one in CHROME",
    )
}

/// The browser's WebDriver: the program in `CHROMEDRIVER`, or the one on PATH.
pub fn chromedriver() -> Result<PathBuf> {
    program("CHROMEDRIVER", &["chromedriver"]).context(
        "there is no chromedriver: install the browser's own (Debian: `apt-get install chromium-driver`), or name one \
         in CHROMEDRIVER",
    )
}

/// Firefox: the program in `FIREFOX`, or one on PATH.
pub fn firefox() -> Result<PathBuf> {
    program("FIREFOX", &["firefox-esr", "firefox"]).context(
        "there is no Firefox: install it (Debian: `apt-get install firefox-esr`), or name one in FIREFOX",
    )
}

/// Firefox's WebDriver: the program in `GECKODRIVER`, or the one on PATH.
pub fn geckodriver() -> Result<PathBuf> {
    program("GECKODRIVER", &["geckodriver"])
        .context("there is no geckodriver: `cargo install geckodriver`, or name one in GECKODRIVER")
}

fn program(variable: &str, names: &[&str]) -> Result<PathBuf> {
    // The variable may name a program on PATH, too.
    let named = env::var(variable).ok().filter(|name| !name.is_empty());
    if let Some(name) = named {
        return match on_path(&name) {
            Some(path) => Ok(path),
            None => bail!("{variable} names {name}, which does not exist"),
        };
    }
    names.iter().find_map(|name| on_path(name)).context("it is not on PATH")
}

/// The absolute path of `name`. A name with a folder is not looked for on PATH: joining it replaces or extends each
/// folder, and the current folder comes first.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let current = env::current_dir().ok().filter(|_| name.contains(std::path::is_separator));
    let folders = current.into_iter().chain(env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}
