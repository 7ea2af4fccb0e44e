//! Browsers by WebDriver: one chromedriver per scenario, one profile per person.

use std::{path::Path, process::Command};

use anyhow::Context as _;
use fantoccini::{Client, ClientBuilder, wd::WebDriverCompatibleCommand};
use harness::{PATIENCE, Process, browser};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use url::Url;

use crate::{Browser, Result};

/// Flags for pictures that are the same on every screen, and for a host name that is not this machine's own: browsers trust those
/// like https.
const FLAGS: [&str; 3] = [
    "--force-device-scale-factor=1",
    "--host-resolver-rules=MAP chat.test 127.0.0.1",
    "--disable-features=HttpsUpgrades",
];

/// A running chromedriver. The browsers that it started end with this.
#[derive(Debug)]
pub(crate) struct Driver {
    url: String,
    /// Process ids in the order of opening; `None` for a closed browser.
    browsers: Vec<Option<Pid>>,
    _process: Process,
}

impl Driver {
    /// Starts one on a free port.
    pub(crate) fn start() -> Result<Driver> {
        let mut command = Command::new(browser::chromedriver()?);
        command.args(["--port=0", "--log-level=SEVERE"]);
        let (process, port) = Process::start(&mut command, PATIENCE, |line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        })?;
        Ok(Driver { url: format!("http://127.0.0.1:{port}"), browsers: Vec::new(), _process: process })
    }

    /// Opens a browser with the profile in the folder `profile`.
    pub(crate) async fn open(&mut self, profile: &Path, options: &Browser) -> Result<Client> {
        let mut arguments: Vec<String> = browser::FLAGS.into_iter().chain(FLAGS).map(str::to_owned).collect();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        arguments.push(format!("--window-size={},{}", options.width, options.height));
        arguments.push(format!("--lang={}", options.language));
        arguments.push(format!("--accept-lang={}", options.language));
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
        let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&self.url)
            .await
            .context("the browser does not start")?;
        let pid = client.capabilities().and_then(|of| of.get("goog:processID")).and_then(Value::as_i64);
        let pid = pid.and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        let pid = pid.context("chromedriver does not report the browser's process: it is too old")?;
        self.browsers.push(Some(pid));
        Ok(client)
    }

    /// Forgets a closed browser: its process id may be reused.
    pub(crate) fn forget(&mut self, index: usize) {
        self.browsers[index] = None;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        for browser in self.browsers.iter().flatten() {
            // It may have crashed already.
            kill_process(*browser, Signal::KILL).ok();
        }
    }
}

/// A command that only chromedriver has.
#[derive(Debug)]
pub(crate) struct DriverCommand {
    path: String,
    body: Option<Value>,
}

impl DriverCommand {
    /// A command of the Chrome DevTools Protocol.
    pub(crate) fn devtools(command: &str, parameters: Value) -> DriverCommand {
        let body = json!({ "cmd": command, "params": parameters });
        DriverCommand { path: "goog/cdp/execute".to_owned(), body: Some(body) }
    }

    /// The entries of a log since the last request.
    pub(crate) fn log(kind: &str) -> DriverCommand {
        DriverCommand { path: "se/log".to_owned(), body: Some(json!({ "type": kind })) }
    }

    /// A property that the browser computes for an element: `computedrole` or `computedlabel`.
    pub(crate) fn computed(element: &str, what: &str) -> DriverCommand {
        DriverCommand { path: format!("element/{element}/{what}"), body: None }
    }
}

impl WebDriverCompatibleCommand for DriverCommand {
    fn endpoint(
        &self,
        base_url: &Url,
        session_id: Option<&str>,
    ) -> std::result::Result<Url, url::ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        match &self.body {
            Some(body) => (Method::POST, Some(body.to_string())),
            None => (Method::GET, None),
        }
    }
}
