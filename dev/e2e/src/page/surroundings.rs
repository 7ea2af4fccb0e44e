//! The surroundings of a page: window, network, cookies, lifecycle and errors. Chromium changes them by the DevTools protocol, Firefox by
//! scripts that run in the browser itself.

use std::sync::{Mutex, PoisonError, atomic::Ordering};

use anyhow::{Context as _, bail, ensure};
use harness::browser::Kind;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    Page, Result,
    driver::{DriverCommand, OBSERVE},
    eventually,
    page_error::{self, PageError},
};

/// Runs a script in every page that Firefox opens, before the page's own.
const RUN_BEFORE_PAGES: &str = "
    const script = (source) => {
        addEventListener('DOMWindowCreated', ({ target }) => {
            const page = target.defaultView;
            const sandbox = Cu.Sandbox(page, { sandboxPrototype: page, wantXrays: false });
            Cu.evalInSandbox(source, sandbox);
        }, true);
    };
    const source = `(${script})(${JSON.stringify(arguments[0])})`;
    Services.mm.loadFrameScript(`data:application/javascript;charset=utf-8,${encodeURIComponent(source)}`, true);";

/// Stopped processes of tabs. They would outlive the browser, so they are killed when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Stopped(Mutex<Vec<Pid>>);

impl Stopped {
    fn set(&self, process: Pid, is_stopped: bool) -> Result {
        let mut stopped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stopped.retain(|other| *other != process);
        if is_stopped {
            stopped.push(process);
        }
        Ok(kill_process(process, if is_stopped { Signal::STOP } else { Signal::CONT })?)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for process in self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // It may have been killed already.
            kill_process(*process, Signal::KILL).ok();
        }
    }
}

impl Page {
    /// Prepares the browser for the other functions.
    pub(crate) async fn observe(&self) -> Result {
        match self.kind {
            Kind::Chromium => Ok(()),
            Kind::Firefox => self.run_in_firefox(OBSERVE, vec![]).await,
        }
    }

    /// The browser's name.
    pub fn browser(&self) -> &'static str {
        match self.kind {
            Kind::Chromium => "Chromium",
            Kind::Firefox => "Firefox",
        }
    }

    /// A command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        ensure!(self.kind == Kind::Chromium, "only Chromium has the command {command}");
        Ok(self.client.issue_cmd(DriverCommand::devtools(command, parameters)).await?)
    }

    /// Runs a function body in Firefox itself, with all rights.
    async fn run_in_firefox<T: DeserializeOwned>(&self, body: &str, arguments: Vec<Value>) -> Result<T> {
        ensure!(self.kind == Kind::Firefox, "it is not Firefox");
        self.client.issue_cmd(DriverCommand::context("chrome")).await?;
        let value = self.client.execute(body, arguments).await;
        self.client.issue_cmd(DriverCommand::context("content")).await?;
        Ok(serde_json::from_value(value?)?)
    }

    /// Runs a script in every page that this tab opens from now on, before the page's own scripts. In Firefox it runs in other tabs, too.
    pub async fn run_before_pages(&self, source: &str) -> Result {
        match self.kind {
            Kind::Chromium => {
                let source = json!({ "source": source });
                self.devtools("Page.addScriptToEvaluateOnNewDocument", source).await.map(drop)
            }
            Kind::Firefox => self.run_in_firefox(RUN_BEFORE_PAGES, vec![json!(source)]).await,
        }
    }

    /// Lets requests of these addresses fail from now on, and no others; `*` stands for any characters.
    pub async fn block(&self, addresses: &[&str]) -> Result {
        match self.kind {
            Kind::Chromium => {
                self.devtools("Network.enable", json!({})).await?;
                self.devtools("Network.setBlockedURLs", json!({ "urls": addresses })).await.map(drop)
            }
            Kind::Firefox => {
                self.run_in_firefox("window.chinwag.blocked = arguments[0]", vec![json!(addresses)]).await
            }
        }
    }

    /// Disables or enables the network.
    pub async fn set_offline(&self, offline: bool) -> Result {
        match self.kind {
            Kind::Chromium => {
                let conditions = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
                self.devtools("Network.emulateNetworkConditions", conditions).await.map(drop)
            }
            Kind::Firefox => {
                // Open connections to this machine outlive it otherwise.
                let body = "Services.io.offline = arguments[0];
                    if (arguments[0]) Services.obs.notifyObservers(null, 'net:cancel-all-connections');";
                self.run_in_firefox(body, vec![json!(offline)]).await
            }
        }
    }

    /// Limits the network to this many bytes a second in each direction.
    pub async fn slow_down(&self, bytes_per_second: u32) -> Result {
        let conditions = json!({
            "offline": false,
            "latency": 0,
            "downloadThroughput": bytes_per_second,
            "uploadThroughput": bytes_per_second,
        });
        self.devtools("Network.emulateNetworkConditions", conditions).await.map(drop)
    }

    /// Deletes the cookies of the page's site.
    pub async fn delete_cookies(&self) -> Result {
        Ok(self.client.delete_all_cookies().await?)
    }

    /// The one cookie of the page's site, as the header has it.
    pub async fn cookie(&self) -> Result<String> {
        let cookies = self.client.get_all_cookies().await?;
        let [cookie] = &cookies[..] else { bail!("there are {} cookies", cookies.len()) };
        Ok(format!("{}={}", cookie.name(), cookie.value()))
    }

    /// Freezes the tab or wakes it. Chromium does that with tabs that are not looked at; Firefox has no such state, so the tab's process is
    /// stopped.
    pub async fn set_frozen(&self, frozen: bool) -> Result {
        if self.kind == Kind::Firefox {
            let body = "return gBrowser.selectedBrowser.browsingContext.currentWindowGlobal.osPid";
            let pid: i32 = self.run_in_firefox(body, vec![]).await?;
            return self.stopped.set(Pid::from_raw(pid).context("it is no process id")?, frozen);
        }
        let state = if frozen { "frozen" } else { "active" };
        self.devtools("Page.setWebLifecycleState", json!({ "state": state })).await?;
        if !frozen {
            // The command leaves the tab hidden.
            self.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await?;
        }
        Ok(())
    }

    /// Resizes the view, CSS pixels. The windows of Firefox have a least width.
    pub async fn resize(&self, width: u32, height: u32) -> Result {
        match self.kind {
            Kind::Chromium => {
                let metrics =
                    json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
                self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
            }
            Kind::Firefox => {
                let frame: (u32, u32) =
                    self.run("return [outerWidth - innerWidth, outerHeight - innerHeight]", vec![]).await?;
                self.client.set_window_size(width + frame.0, height + frame.1).await?;
            }
        }
        eventually("the new width", async || {
            let now: u32 = self.run("return innerWidth", vec![]).await?;
            if now == width { Ok(()) } else { bail!("it is {now}") }
        })
        .await
    }

    /// Emulates the system's colour preference: `light` or `dark`.
    pub async fn prefer_colours(&self, colours: &str) -> Result {
        match self.kind {
            Kind::Chromium => {
                let features = json!([{ "name": "prefers-color-scheme", "value": colours }]);
                self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await?;
            }
            Kind::Firefox => {
                let body =
                    "gBrowser.selectedBrowser.browsingContext.prefersColorSchemeOverride = arguments[0]";
                self.run_in_firefox::<()>(body, vec![json!(colours)]).await?;
            }
        }
        self.settled().await
    }

    /// Allows failed requests from now on, for scenarios without server or network. Other errors in the console still
    /// count.
    pub fn allow_failed_requests(&self) {
        self.allows_failed_requests.store(true, Ordering::Relaxed);
    }

    /// The errors since the last call.
    pub async fn errors(&self) -> Result<Vec<PageError>> {
        let mut errors = match self.kind {
            Kind::Chromium => self.errors_in_chromium().await?,
            Kind::Firefox => self.errors_in_firefox().await.context("the errors in Firefox")?,
        };
        if self.allows_failed_requests.load(Ordering::Relaxed) {
            errors.retain(|error| matches!(error, PageError::Console(_)));
        }
        Ok(errors)
    }

    async fn errors_in_chromium(&self) -> Result<Vec<PageError>> {
        let console = self.client.issue_cmd(DriverCommand::log("browser")).await?;
        let network = self.client.issue_cmd(DriverCommand::log("performance")).await?;
        let mut errors = page_error::in_console(&console);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        errors.extend(requests.failed(&network)?);
        Ok(errors)
    }

    async fn errors_in_firefox(&self) -> Result<Vec<PageError>> {
        let noted: Vec<(String, String)> =
            self.run_in_firefox("return window.chinwag.errors.splice(0)", vec![]).await?;
        let mut errors: Vec<PageError> = noted
            .into_iter()
            .map(|(kind, text)| match kind.as_str() {
                "request" => PageError::Request(text),
                _ => PageError::Console(text),
            })
            .collect();
        errors.extend(page_error::in_output(&self.output.take()));
        Ok(errors)
    }
}
