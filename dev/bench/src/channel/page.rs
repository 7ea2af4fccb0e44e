//! A page that does jobs: this program's side, and the queue in the server that the page reads.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::case::Job;
use super::client::Client;

/// Time limit of a job.
const JOB_TIMEOUT: Duration = Duration::from_secs(300);

/// A page's report.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Report {
    Ready { ready: bool, memory: Option<u64> },
    Measured(Measured),
    Failed { error: String },
}

/// A page's measurement.
#[derive(Debug, Deserialize)]
pub(crate) struct Measured {
    /// Duration of the whole job.
    pub(crate) milliseconds: f64,
    /// Number of messages; `None` where nothing is decoded.
    pub(crate) messages: Option<u64>,
    /// Bytes of all texts, or of the response bodies where nothing is decoded.
    pub(crate) bytes: u64,
    /// Bytes of the WebAssembly module's memory.
    pub(crate) memory: Option<u64>,
    /// The time of the client over the time of `fetch`, for each pair of batches.
    pub(crate) ratios: Option<Vec<f64>>,
}

/// A page under control of this program.
pub(crate) struct Page {
    pub(crate) client: Client,
    url: String,
    jobs: mpsc::Sender<String>,
    reports: mpsc::Receiver<String>,
}

/// The queue of a page's jobs.
#[derive(Clone)]
pub(crate) struct JobQueue {
    jobs: Arc<Mutex<mpsc::Receiver<String>>>,
    reports: mpsc::Sender<String>,
}

impl Page {
    pub(crate) fn new(client: Client, url: String) -> (Self, JobQueue) {
        // A page has one job at a time.
        let (give, jobs) = mpsc::channel(1);
        let (send, reports) = mpsc::channel(1);
        let queue = JobQueue { jobs: Arc::new(Mutex::new(jobs)), reports: send };
        (Self { client, url, jobs: give, reports }, queue)
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Waits until the page has loaded its client. Returns the bytes of the WebAssembly module's memory.
    pub(crate) async fn ready(&mut self) -> Result<Option<u64>> {
        match self.report().await? {
            Report::Ready { ready: true, memory } => Ok(memory),
            other => bail!("{}: {other:?} instead of being ready", self.client.name()),
        }
    }

    /// Runs a job in the page.
    pub(crate) async fn run(&mut self, job: Job) -> Result<Measured> {
        self.jobs.send(serde_json::to_string(&job)?).await.context("the page has gone")?;
        match self.report().await? {
            Report::Measured(measured) => Ok(measured),
            other => bail!("{}: {other:?} instead of a measurement", self.client.name()),
        }
    }

    async fn report(&mut self) -> Result<Report> {
        let report = timeout(JOB_TIMEOUT, self.reports.recv()).await;
        let report = report.with_context(|| format!("{} sends no report", self.client.name()))?;
        let report = serde_json::from_str(&report.context("the page has gone")?)?;
        match report {
            Report::Failed { error } => bail!("{}: {error}", self.client.name()),
            report => Ok(report),
        }
    }
}

impl JobQueue {
    /// Passes on the page's report and waits for its next job.
    pub(crate) async fn next(&self, report: &str) -> Result<String, &'static str> {
        self.reports.send(report.to_owned()).await.map_err(|_| "the measurement is over")?;
        self.jobs.lock().await.recv().await.ok_or("there are no more jobs")
    }
}
