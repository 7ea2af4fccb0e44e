//! The start of geckodriver and Firefox.

use std::{path::Path, process::Command};

use anyhow::Context as _;
use harness::browser;
use serde_json::json;

use super::{HOST, Start};
use crate::{Browser, Result};

/// A script of the browser itself that notes errors and blocks requests, for [`crate::Page`].
pub(crate) const OBSERVE: &str = include_str!("firefox/observe.js");

pub(super) fn start(profile: &Path, options: &Browser) -> Result<Start> {
    std::fs::create_dir_all(profile).context("cannot make a folder for the browser's profile")?;
    let mut command = Command::new(browser::geckodriver()?);
    // Scripts of the browser itself stand in for the DevTools protocol.
    command.args(["--port=0", "--websocket-port=0", "--allow-system-access", "--profile-root"]).arg(profile);
    let (width, height) = (options.width.to_string(), options.height.to_string());
    command.env("MOZ_HEADLESS_WIDTH", width).env("MOZ_HEADLESS_HEIGHT", height);
    let capabilities = json!({
        "browserName": "firefox",
        "moz:firefoxOptions": {
            "binary": browser::firefox()?,
            "args": ["-headless"],
            "prefs": {
                "intl.accept_languages": options.language,
                "font.size.variable.x-western": options.text_size,
                "font.size.variable.zh-CN": options.text_size,
                // 0 allows, 2 blocks.
                "network.cookie.cookieBehavior": if options.blocks_cookies { 2 } else { 0 },
                "network.dns.localDomains": HOST,
                "dom.security.https_first": false,
                // A process for each tab, so that one can be stopped.
                "dom.ipc.processCount.webIsolated": 32,
                // Without a network there is no server on this machine, either.
                "network.disable-localhost-when-offline": true,
                // The console of pages, and not the browser's own.
                "devtools.console.stdout.content": true,
                "devtools.console.stdout.chrome": false,
            },
        },
    });
    Ok(Start { command, port, capabilities, process_id: "moz:processID" })
}

fn port(line: &str) -> Option<u16> {
    let (_, addr) = line.split_once("Listening on ")?;
    addr.trim().rsplit_once(':')?.1.parse().ok()
}
