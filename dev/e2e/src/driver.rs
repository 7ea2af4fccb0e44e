//! Browsers by WebDriver: one driver and one profile per person.

mod chromium;
mod command;
mod firefox;

use std::{
    path::Path,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use fantoccini::{Client, ClientBuilder};
use harness::{PATIENCE, Process, browser::Kind};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) use self::command::DriverCommand;
pub(crate) use self::firefox::OBSERVE;
use crate::{Browser, Result};

/// A host name that is not this machine's own: browsers trust those like https.
const HOST: &str = "chat.test";

/// A driver and its browser, which end with this.
#[derive(Debug)]
pub(crate) struct Driver {
    /// `None` when it is closed: its process id may be reused.
    browser: Option<Pid>,
    output: Output,
    _process: Process,
}

/// The lines that a driver and its browser have printed. Clones are the same lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output(Arc<Mutex<Vec<String>>>);

/// The differences between drivers.
struct Start {
    command: Command,
    /// Finds the port that the driver listens on in a line of its output.
    port: fn(&str) -> Option<u16>,
    capabilities: Value,
    /// The capability that has the browser's process id.
    process_id: &'static str,
}

impl Driver {
    /// Opens a browser of this kind with the profile in the folder `profile`.
    pub(crate) async fn open(kind: Kind, profile: &Path, options: &Browser) -> Result<(Driver, Client)> {
        let Start { mut command, port, capabilities, process_id } = match kind {
            Kind::Chromium => chromium::start(profile, options)?,
            Kind::Firefox => firefox::start(profile, options)?,
        };
        let output = Output::default();
        let lines = output.clone();
        let mut start = || {
            let lines = lines.clone();
            Process::start(&mut command, PATIENCE, move |line| {
                lines.add(line);
                port(line)
            })
        };
        // chromedriver chooses a port that is free in one version of IP, and ends when the other one has it.
        let (process, port) = start().or_else(|_| start())?;
        let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .with_context(|| format!("the browser does not start: {:#?}", process.log()))?;
        let pid = client.capabilities().and_then(|of| of.get(process_id)).and_then(Value::as_i64);
        let pid = pid.and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        let pid = pid.context("the driver does not report the browser's process: it is too old")?;
        Ok((Driver { browser: Some(pid), output, _process: process }, client))
    }

    /// The lines that the browser prints.
    pub(crate) fn output(&self) -> Output {
        self.output.clone()
    }

    /// The browser was closed.
    pub(crate) fn forget_browser(&mut self) {
        self.browser = None;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(browser) = self.browser {
            // It may have crashed already.
            kill_process(browser, Signal::KILL).ok();
        }
    }
}

impl Output {
    fn add(&self, line: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }

    /// The lines since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
