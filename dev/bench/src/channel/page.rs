//! A page that does jobs: the side that gives them, and the desk in the server where the page asks.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::case::{Client, Job};

/// How long a job may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a page says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Report {
    Ready { ready: bool, memory: Option<u64> },
    Measured(Measured),
    Failed { error: String },
}

/// What a page has measured.
#[derive(Debug, Deserialize)]
pub(crate) struct Measured {
    /// Of the whole job.
    pub(crate) milliseconds: f64,
    /// How many messages came; none where nothing is decoded.
    pub(crate) messages: Option<u64>,
    /// How many bytes their texts have together; the bytes of whole bodies where nothing is decoded.
    pub(crate) bytes: u64,
    /// How many bytes the memory of a WebAssembly module has grown to.
    pub(crate) memory: Option<u64>,
    /// The time of the client over the time of `fetch`, for each pair of batches.
    pub(crate) ratios: Option<Vec<f64>>,
}

/// A page, as this program sees it.
pub(crate) struct Page {
    pub(crate) client: Client,
    url: String,
    jobs: mpsc::Sender<String>,
    reports: mpsc::Receiver<String>,
}

/// Where a page asks for its next job.
#[derive(Clone)]
pub(crate) struct Desk {
    jobs: Arc<Mutex<mpsc::Receiver<String>>>,
    reports: mpsc::Sender<String>,
}

impl Page {
    pub(crate) fn new(client: Client, url: String) -> (Self, Desk) {
        // A page has one job at a time.
        let (give, jobs) = mpsc::channel(1);
        let (tell, reports) = mpsc::channel(1);
        let desk = Desk { jobs: Arc::new(Mutex::new(jobs)), reports: tell };
        (Self { client, url, jobs: give, reports }, desk)
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Waits until the page has loaded its client. Says how many bytes of memory a WebAssembly module has then.
    pub(crate) async fn ready(&mut self) -> Result<Option<u64>> {
        match self.report().await? {
            Report::Ready { ready: true, memory } => Ok(memory),
            other => bail!("{}: {other:?} instead of being ready", self.client.name()),
        }
    }

    /// Lets the page do a job.
    pub(crate) async fn run(&mut self, job: Job) -> Result<Measured> {
        self.jobs.send(serde_json::to_string(&job)?).await.context("the page has gone")?;
        match self.report().await? {
            Report::Measured(measured) => Ok(measured),
            other => bail!("{}: {other:?} instead of a measurement", self.client.name()),
        }
    }

    async fn report(&mut self) -> Result<Report> {
        let report = timeout(PATIENCE, self.reports.recv()).await;
        let report = report.with_context(|| format!("{} says nothing", self.client.name()))?;
        let report = serde_json::from_str(&report.context("the page has gone")?)?;
        match report {
            Report::Failed { error } => bail!("{}: {error}", self.client.name()),
            report => Ok(report),
        }
    }
}

impl Desk {
    /// Takes what the page reports and waits for its next job.
    pub(crate) async fn next(&self, report: &str) -> Result<String, &'static str> {
        self.reports.send(report.to_owned()).await.map_err(|_| "nobody listens any more")?;
        self.jobs.lock().await.recv().await.ok_or("there are no more jobs")
    }
}
