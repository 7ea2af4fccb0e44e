//! The start of chromedriver and Chromium.

use std::{path::Path, process::Command};

use harness::browser;
use serde_json::json;

use super::{HOST, Start};
use crate::{Browser, Result};

pub(super) fn start(profile: &Path, options: &Browser) -> Result<Start> {
    let mut command = Command::new(browser::chromedriver()?);
    command.args(["--port=0", "--log-level=SEVERE"]);
    let mut arguments: Vec<String> = browser::FLAGS.into_iter().map(str::to_owned).collect();
    arguments.extend([
        // Pictures that are the same on every screen.
        "--force-device-scale-factor=1".to_owned(),
        format!("--host-resolver-rules=MAP {HOST} 127.0.0.1"),
        "--disable-features=HttpsUpgrades".to_owned(),
        format!("--user-data-dir={}", profile.display()),
        format!("--window-size={},{}", options.width, options.height),
        format!("--lang={}", options.language),
        format!("--accept-lang={}", options.language),
    ]);
    let capabilities = json!({
        "browserName": "chrome",
        "goog:chromeOptions": {
            "binary": browser::chrome()?,
            "args": arguments,
            "prefs": {
                "intl.accept_languages": options.language,
                "webkit.webprefs.default_font_size": options.text_size,
                // 1 allows, 2 blocks.
                "profile.default_content_setting_values.cookies": 1 + u8::from(options.blocks_cookies),
            },
        },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    });
    Ok(Start { command, port, capabilities, process_id: "goog:processID" })
}

fn port(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
}
