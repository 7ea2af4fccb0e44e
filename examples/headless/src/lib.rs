//! A headless Chromium for the tests of the examples, by WebDriver.
//!
//! `CHROME` and `CHROMEDRIVER` name the programs; by default they are looked for on PATH.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Time limit for every part that a test waits for. Several programs may share two cores.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page in a browser. Without [`close`](Self::close) the browser outlives the test.
#[derive(Debug)]
pub struct Page {
    /// For everything else that WebDriver can do.
    pub client: Client,
    // Killed when dropped.
    _driver: Child,
}

/// Opens `url`, runs `check`, and closes the browser whatever came of it. An error says what the page showed.
pub async fn check(url: &str, check: impl AsyncFnOnce(&Page) -> Result<()>) -> Result<()> {
    let page = Page::start().await?;
    let outcome = match page.client.goto(url).await {
        Ok(()) => check(&page).await,
        Err(error) => Err(error.into()),
    };
    let shown = page.text().await.unwrap_or_default();
    page.client.clone().close().await?;
    outcome.with_context(|| format!("the page shows: {shown}"))
}

impl Page {
    async fn start() -> Result<Self> {
        let program = env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
        let mut driver = Command::new(&program)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start `{program}`; name it in CHROMEDRIVER"))?;
        let output = driver.stdout.take().context("standard output is piped")?;
        let mut lines = BufReader::new(output).lines();
        let port = loop {
            let line = lines.next_line().await?.context("chromedriver ended")?;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let mut options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"] });
        if let Ok(chrome) = env::var("CHROME") {
            options["binary"] = chrome.into();
        }
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities([("goog:chromeOptions".to_owned(), options)].into_iter().collect())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await?;
        Ok(Self { client, _driver: driver })
    }

    /// Waits for an element by its XPath.
    pub async fn find(&self, path: &str) -> Result<Element> {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(path)).await;
        found.with_context(|| format!("waited in vain for {path}"))
    }

    async fn text(&self) -> Result<String> {
        Ok(self.client.find(Locator::Css("body")).await?.text().await?)
    }
}
