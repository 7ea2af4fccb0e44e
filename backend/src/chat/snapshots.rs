//! Copies of the database in the log that several servers share: makes them while the chat runs, trims the log behind them, and
//! starts a server that lacks what was trimmed.
//!
//! Any server may make the next copy. Each waits for a random time when one is due, and then looks whether another was first.

use std::convert::Infallible;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::health::Fault;
use super::log::{Log, LogError, Position};
use super::store::{
    self, CopyError, CopyFile, DATABASE_FILE, OpenError, Snapshot, check_snapshot, install_snapshot,
    report_damage,
};
use super::{Shared, SnapshotOptions};
use crate::error_chain::ErrorChain;

/// Pause after a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// Longest wait for the log when the chat is opened.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// Why no copy was made or taken.
#[derive(Debug, thiserror::Error)]
enum SnapshotError {
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("this server has not reached entry {newest} yet, which the newest copy has")]
    Behind { newest: Position },
}

impl SnapshotError {
    fn into_open_error(self, folder: &Path) -> OpenError {
        let error = match self {
            Self::Copy(CopyError::Open(error)) => error,
            Self::Copy(CopyError::Sqlite(error)) => error.into(),
            Self::Log(error @ LogError::Unanswered(_)) => OpenError::Log(error.into()),
            error => OpenError::Snapshot(Box::new(error)),
        };
        error.with_path(folder.join(DATABASE_FILE))
    }
}

/// Puts the newest copy in the place of the database in `folder`: with `only_new` if that has no chat, otherwise if the copy is
/// ahead of it. Returns whether it did. Blocks.
pub(super) fn install(folder: &Path, log: &dyn Log, only_new: bool) -> Result<bool, OpenError> {
    let install = || {
        let runtime = runtime().map_err(CopyError::from)?;
        let newest = |file: &Path| Ok::<_, SnapshotError>(runtime.block_on(fetch(log, file))?);
        install_snapshot(folder, log.id(), only_new, newest)
    };
    // The caller's thread may drive another runtime.
    let installed =
        thread::scope(|scope| scope.spawn(install).join()).unwrap_or_else(|panic| resume_unwind(panic));
    let snapshot = installed.map_err(|error| error.into_open_error(folder))?;
    if let Some(Snapshot { position, .. }) = snapshot {
        tracing::info!(log.position = position, "this server starts from a copy of the database in the log");
    }
    Ok(snapshot.is_some())
}

async fn fetch(log: &dyn Log, into: &Path) -> Result<Option<Position>, LogError> {
    let give_up = Instant::now() + OPEN_TIMEOUT;
    loop {
        match log.newest_snapshot(into).await {
            Err(LogError::Unanswered(_)) if Instant::now() < give_up => {}
            fetched => return fetched,
        }
    }
}

/// For the thread that uses it: a log may need timers.
fn runtime() -> Result<Runtime, OpenError> {
    runtime::Builder::new_current_thread().enable_time().build().map_err(OpenError::Thread)
}

/// The thread that makes copies.
#[derive(Debug)]
pub(super) struct SnapshotThread {
    stop: oneshot::Sender<Infallible>,
    thread: JoinHandle<()>,
}

impl SnapshotThread {
    pub(super) fn start(
        log: Arc<dyn Log>,
        shared: Arc<Shared>,
        folder: &Path,
        options: SnapshotOptions,
    ) -> Result<Self, OpenError> {
        let runtime = runtime()?;
        let (stop, stopped) = oneshot::channel();
        let maker = Maker { log, shared, folder: folder.to_owned(), options };
        let thread = thread::Builder::new()
            .name("chat-snapshots".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        never = maker.run() => match never {},
                        _ = stopped => {}
                    }
                });
            })
            .map_err(OpenError::Thread)?;
        Ok(Self { stop, thread })
    }

    /// Stops the thread. Blocks while a copy is written or checked.
    pub(super) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that copies the database ended by a panic");
        }
    }
}

/// Makes copies.
#[derive(Debug)]
struct Maker {
    log: Arc<dyn Log>,
    shared: Arc<Shared>,
    folder: PathBuf,
    options: SnapshotOptions,
}

impl Maker {
    async fn run(&self) -> Infallible {
        loop {
            sleep(self.options.spread.mul_f64(fastrand::f64())).await;
            match self.renew_if_due().await {
                Ok(newest) => {
                    *self.shared.newest_snapshot.lock() = Some(newest);
                    self.wait_until_due(newest).await;
                }
                Err(error) => {
                    let error = ErrorChain(&error);
                    tracing::warn!(%error, "the log has no newer copy of the database; this server tries again");
                    sleep(RETRY_INTERVAL).await;
                }
            }
        }
    }

    async fn wait_until_due(&self, newest: Snapshot) {
        let entries = newest.position.saturating_add(self.options.entries);
        let interval = self.options.interval.saturating_sub(newest.age());
        timeout(interval, self.shared.current.reaches(entries)).await.ok();
    }

    fn is_due(&self, newest: Snapshot) -> bool {
        let entries = self.shared.current.applied().saturating_sub(newest.position);
        entries >= self.options.entries || newest.age() >= self.options.interval
    }

    /// Makes a copy if the newest one is too old, and returns the newest. Trims the log behind the one before: that was fetched and
    /// checked, and servers that were away for less than the time between two copies find all entries.
    async fn renew_if_due(&self) -> Result<Snapshot, SnapshotError> {
        let copy = CopyFile::new(&self.folder)?;
        let before = self.newest(&copy).await?;
        match before {
            Some(newest) if !self.is_due(newest) => return Ok(newest),
            Some(Snapshot { position, .. }) if self.shared.current.applied() < position => {
                return Err(SnapshotError::Behind { newest: position });
            }
            _ => copy.remove()?,
        }
        let made = store::snapshot(&self.folder, copy.path()).inspect_err(|error| self.report(error))?;
        self.log.put_snapshot(made.position, copy.path()).await?;
        tracing::info!(log.position = made.position, "put a copy of the database into the log");
        if let Some(before) = before {
            self.log.trim(before.position).await?;
        }
        Ok(made)
    }

    /// Fetches and checks the newest copy. One that cannot be used counts as none.
    async fn newest(&self, file: &CopyFile) -> Result<Option<Snapshot>, LogError> {
        let fetched = match self.log.newest_snapshot(file.path()).await {
            Ok(None) => return Ok(None),
            Ok(Some(position)) => {
                check_snapshot(file.path(), self.log.id(), position).map_err(SnapshotError::from)
            }
            Err(error @ LogError::Snapshot(_)) => Err(SnapshotError::from(error)),
            Err(error) => return Err(error),
        };
        if let Err(error) = &fetched {
            let error = ErrorChain(error);
            tracing::error!(%error, "the log's newest copy of the database cannot be used; this server makes another one");
        }
        Ok(fetched.ok())
    }

    /// The copy is damaged because the database is.
    fn report(&self, error: &CopyError) {
        if let CopyError::Damaged { finding, .. } = error
            && self.shared.health.fail(Fault::Damaged)
        {
            report_damage(&self.folder.join(DATABASE_FILE), finding);
        }
    }
}
