//! Browsers, by WebDriver: one chromedriver per scenario, one profile per person.

use std::{path::Path, process::Command};

use anyhow::Context as _;
use fantoccini::{Client, ClientBuilder, wd::WebDriverCompatibleCommand};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use url::Url;

use crate::{Browser, Result, process::Process, tools};

/// What Chromium is started with: nothing that fetches, asks or waits by itself.
const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-search-engine-choice-screen",
    "--force-device-scale-factor=1",
];

/// A running chromedriver. The browsers that it started end with this.
#[derive(Debug)]
pub(crate) struct Driver {
    url: String,
    /// In the order in which they were opened; none for one that has been closed.
    browsers: Vec<Option<Pid>>,
    _process: Process,
}

impl Driver {
    /// Starts one on a free port.
    pub(crate) fn start() -> Result<Driver> {
        let mut command = Command::new(tools::chromedriver()?);
        command.args(["--port=0", "--log-level=SEVERE"]);
        let (process, port) = Process::start(&mut command, |line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        })?;
        Ok(Driver { url: format!("http://127.0.0.1:{port}"), browsers: Vec::new(), _process: process })
    }

    /// Opens a browser with a profile in `profile`, which is empty or a person's from before.
    pub(crate) async fn open(&mut self, profile: &Path, browser: &Browser) -> Result<Client> {
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        arguments.push(format!("--window-size={},{}", browser.width, browser.height));
        arguments.push(format!("--lang={}", browser.language));
        arguments.push(format!("--accept-lang={}", browser.language));
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": tools::chrome()?,
                "args": arguments,
                "prefs": { "intl.accept_languages": browser.language },
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
        let pid = pid.context("chromedriver does not say which process the browser is: it is too old")?;
        self.browsers.push(Some(pid));
        Ok(client)
    }

    /// The browser of this index has been closed: its process's number may be somebody else's soon.
    pub(crate) fn forget(&mut self, index: usize) {
        self.browsers[index] = None;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        for browser in self.browsers.iter().flatten() {
            // One that crashed is gone already.
            kill_process(*browser, Signal::KILL).ok();
        }
    }
}

/// A command of chromedriver's own.
#[derive(Debug)]
pub(crate) struct Extension {
    path: String,
    body: Option<Value>,
}

impl Extension {
    /// A command of the Chrome DevTools Protocol.
    pub(crate) fn devtools(command: &str, parameters: Value) -> Extension {
        let body = json!({ "cmd": command, "params": parameters });
        Extension { path: "goog/cdp/execute".to_owned(), body: Some(body) }
    }

    /// What a log holds since it was last asked for.
    pub(crate) fn log(kind: &str) -> Extension {
        Extension { path: "se/log".to_owned(), body: Some(json!({ "type": kind })) }
    }

    /// What the browser itself computed for an element: `computedrole` or `computedlabel`.
    pub(crate) fn computed(element: &str, what: &str) -> Extension {
        Extension { path: format!("element/{element}/{what}"), body: None }
    }
}

impl WebDriverCompatibleCommand for Extension {
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
