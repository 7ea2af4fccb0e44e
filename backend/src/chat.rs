//! The chat: one append-only log per room, and streams that follow the logs.
//!
//! [`Chat`] opens a data folder, provides the gRPC service, and is closed in order. `service` is the gRPC adapter: only
//! it and `error` name tonic. The rest uses the messages of the contract (`proto::chat::v1`), because events are stored
//! and sent in their encoded form.
//!
//! The path of a message: `service` validates it, `writer` commits it together with everything else that waits,
//! publishes it to `tail`, and acknowledges it. Every `subscriber` reads it from the tail, or from `store` when it has
//! fallen behind.

pub mod clock;
mod credentials;
mod current;
mod device;
mod directory;
mod encoding;
mod entry;
mod error;
mod health;
pub mod log;
mod metrics;
mod operations;
mod random;
mod repair;
mod service;
mod session;
mod snapshots;
mod store;
mod streams;
mod subscriber;
mod tail;
mod text;
mod types;
mod wakers;
mod writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use self::clock::Clock;
#[cfg(test)]
use self::clock::wall_ms as now_ms;
use self::current::Current;
use self::directory::Directory;
use self::health::Health;
use self::log::Log;
use self::metrics::ChatMetrics;
use self::operations::Core;
use self::session::{CookieNames, SessionCache};
use self::snapshots::SnapshotThread;
use self::store::{DamageCheck, Readers};
use self::streams::Streams;
use self::tail::Tail;
use self::writer::{Started, Writer, WriterThread};

pub use self::current::LogState;
pub use self::health::{Fault, WRITE_TIMEOUT};
pub use self::repair::{Comparison, Relation, RepairError, StoppedFolder, start_from_copy};
pub use self::session::CACHED_SESSIONS;
pub use self::store::{
    CheckReport, CopyError, DATABASE_FILE, HEAD_FILE, LOCK_FILE, MAX_FINDINGS, OpenError, Restored,
    RoomDifference, Snapshot, StoreError, Surplus, backup, check, restore, snapshot,
};
pub use self::tail::{TAIL_BYTES, TAIL_FRAMES, TailLimits};

/// Default for the rooms that one user may create.
pub const ROOMS_PER_USER: usize = 20;

/// Largest request, bytes. A thousand cursors take about 60 KiB, the longest message 16 KiB.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// Lifetime of a session after `Join` and after each `GetSession`.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Lifetime of a session that was never used: the response of `Join` got lost, or the browser stored no cookie. Then its
/// name is free again.
pub const UNUSED_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Mean interval between two heartbeats of a quiet stream; jitter is a fifth of it.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(20);

/// Longest time in which a client takes nothing of a stream while events wait for it.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Range of the reconnect delay in a goodbye. The delay is random, so that not all clients reconnect at once.
#[derive(Clone, Copy, Debug)]
pub struct ReconnectDelay {
    /// Shortest delay.
    pub min: Duration,
    /// Longest delay.
    pub max: Duration,
}

impl Default for ReconnectDelay {
    /// From half a second, the time of a restart, to five seconds.
    fn default() -> Self {
        Self { min: Duration::from_millis(500), max: Duration::from_secs(5) }
    }
}

impl ReconnectDelay {
    /// Among other servers that have the chat as well, and of which each gets a part of the clients: up to a second.
    pub const AMONG_SERVERS: Self = Self { min: Duration::ZERO, max: Duration::from_secs(1) };

    fn pick(&self) -> Duration {
        self.min + self.max.saturating_sub(self.min).mul_f64(fastrand::f64())
    }
}

/// When a server that shares a log with others puts a copy of its database into it. The log keeps the entries since the copy before
/// the newest one.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotOptions {
    /// Entries since the newest copy after which another one is due.
    pub entries: u64,
    /// Age of the newest copy at which another one is due.
    pub interval: Duration,
    /// Longest wait of a server when a copy is due, and at its start: each waits for a random time, so that mostly one makes a copy.
    pub spread: Duration,
}

impl Default for SnapshotOptions {
    /// A copy each day, or sooner so that a new server has at most some minutes of entries to apply.
    fn default() -> Self {
        Self { entries: 50_000, interval: Duration::from_secs(24 * 60 * 60), spread: Duration::from_secs(30) }
    }
}

/// Options of a chat.
#[derive(Clone, Debug)]
pub struct ChatOptions {
    /// Folder of the database; created when it does not exist.
    pub data: PathBuf,
    /// Whether the session cookie is `Secure`: for a server that browsers reach by https only.
    pub secure_cookie: bool,
    /// Path of the session cookie: browsers send it with requests below this path, which ends with a slash.
    pub cookie_path: String,
    /// See [`ROOMS_PER_USER`].
    pub rooms_per_user: usize,
    /// See [`SESSION_LIFETIME`].
    pub session_lifetime: Duration,
    /// See [`HEARTBEAT_INTERVAL`].
    pub heartbeat_interval: Duration,
    /// See [`STALL_TIMEOUT`].
    pub stall_timeout: Duration,
    /// Reconnect delay in goodbyes.
    pub reconnect_delay: ReconnectDelay,
    /// Bounds of the tail.
    pub tail: TailLimits,
    /// See [`UNUSED_LIFETIME`].
    pub unused_lifetime: Duration,
    /// Source of the time.
    pub clock: Clock,
    /// The log that this server shares with others. `None`: it has the chat alone, and its database is the log.
    pub log: Option<Arc<dyn Log>>,
    /// Copies of the database in the log.
    pub snapshots: SnapshotOptions,
}

impl Default for ChatOptions {
    /// The constants above, and the folder `data`.
    fn default() -> Self {
        Self {
            data: "data".into(),
            secure_cookie: false,
            cookie_path: "/".to_owned(),
            rooms_per_user: ROOMS_PER_USER,
            session_lifetime: SESSION_LIFETIME,
            heartbeat_interval: HEARTBEAT_INTERVAL,
            stall_timeout: STALL_TIMEOUT,
            reconnect_delay: ReconnectDelay::default(),
            tail: TailLimits::default(),
            unused_lifetime: UNUSED_LIFETIME,
            clock: Clock::default(),
            log: None,
            snapshots: SnapshotOptions::default(),
        }
    }
}

/// Counters of the streams and the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatStats {
    /// Open streams.
    pub streams: usize,
    /// Frames in the tail.
    pub tail_frames: usize,
    /// Bytes of these frames.
    pub tail_bytes: usize,
    /// Times that a stream found a gap between its position and the tail, and read the store instead. Nothing is lost
    /// then, but it should never happen.
    pub tail_gaps: u64,
    /// Writes that wait for the writer.
    pub queued_writes: usize,
}

/// A running chat. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Chat {
    core: Arc<Core>,
    thread: Arc<Mutex<Option<WriterThread>>>,
    check: Arc<Mutex<Option<DamageCheck>>>,
    snapshots: Arc<Mutex<Option<SnapshotThread>>>,
}

impl Chat {
    /// Opens the database, creates or migrates it if needed, applies what the log has, and starts the writer. With a log, a folder
    /// without a chat, or one that lacks entries which the log no longer has, gets the newest copy in the log first. Blocks.
    pub fn open(options: ChatOptions) -> Result<Self, OpenError> {
        let Some(log) = options.log.clone() else { return Self::open_database(options) };
        let data = options.data.clone();
        snapshots::install(&data, &*log, true)?;
        match Self::open_database(options.clone()) {
            Err(error) if error.lacks_entries() && snapshots::install(&data, &*log, false)? => {
                Self::open_database(options)
            }
            opened => opened,
        }
    }

    fn open_database(options: ChatOptions) -> Result<Self, OpenError> {
        let log = options.log.clone();
        let opened = store::open(&options.data, log.as_ref().map(|log| log.id()))?;
        let shared = Arc::new(Shared::new(&options));
        let (path, needs_check) = (opened.path.clone(), opened.needs_check);
        let Started { writer, thread, database_id } =
            Writer::start(opened, shared.clone(), log.clone(), options.unused_lifetime)
                .map_err(|error| error.with_path(path.clone()))?;
        let cookies = CookieNames::new(&database_id, options.secure_cookie, &options.cookie_path);
        let readers = Readers::open(&path)?;
        let check = needs_check.then(|| {
            let shared = shared.clone();
            DamageCheck::start(&path, move || {
                shared.health.fail(Fault::Damaged);
            })
        });
        let snapshots =
            log.map(|log| SnapshotThread::start(log, shared.clone(), &options.data, options.snapshots));
        let core = Core { shared, writer, readers, options, cookies };
        Ok(Self {
            core: Arc::new(core),
            thread: Arc::new(Mutex::new(Some(thread))),
            check: Arc::new(Mutex::new(check.transpose()?)),
            snapshots: Arc::new(Mutex::new(snapshots.transpose()?)),
        })
    }

    /// Sends a goodbye on every stream and refuses new calls.
    pub fn begin_shutdown(&self) {
        self.core.shared.closing.store(true, Ordering::Release);
        self.core.shared.tail.wake_readers();
    }

    /// Waits until every accepted write is stored, and closes the database.
    pub async fn close(self) {
        self.begin_shutdown();
        let (check, snapshots) = (self.check.lock().take(), self.snapshots.lock().take());
        let stop = move || {
            if let Some(check) = check {
                check.stop();
            }
            if let Some(snapshots) = snapshots {
                snapshots.stop();
            }
        };
        tokio::task::spawn_blocking(stop).await.ok();
        self.core.readers.close().await;
        self.core.writer.close().await;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // Joining does not panic and nobody aborts it, so this cannot fail.
            tokio::task::spawn_blocking(move || thread.join()).await.ok();
        }
    }

    /// The current fault that prevents storing messages, `None` when there is none.
    pub fn health(&self) -> watch::Receiver<Option<Fault>> {
        self.core.shared.health.watch()
    }

    /// Whether the chat takes writes: no fault is known, and something was stored within [`WRITE_TIMEOUT`]; with a log, the
    /// database had everything in it not long ago. The error is the reason, as a sentence without a full stop.
    pub fn check_writable(&self) -> Result<(), &'static str> {
        let Shared { health, current, .. } = &*self.core.shared;
        // A silent log keeps the writer from storing anything, so it comes first.
        let of_the_log = if health.fault().is_some() { Ok(()) } else { current.check() };
        of_the_log.and_then(|()| health.check_writable())
    }

    /// How far the log was followed; `None` without one.
    pub fn log_state(&self) -> Option<LogState> {
        self.core.shared.current.state()
    }

    /// The newest copy of the database in the log, as far as this server knows.
    pub fn newest_snapshot(&self) -> Option<Snapshot> {
        *self.core.shared.newest_snapshot.lock()
    }

    /// Current counters.
    pub fn stats(&self) -> ChatStats {
        let (tail_frames, tail_bytes) = self.core.shared.tail.size();
        let shared = &self.core.shared;
        let tail_gaps = shared.tail_gaps.load(Ordering::Relaxed);
        let (streams, queued_writes) = (shared.streams.count(), self.core.writer.queued());
        ChatStats { streams, tail_frames, tail_bytes, tail_gaps, queued_writes }
    }

    /// Size of the database and of its write-ahead log, bytes; 0 for one that cannot be read. Blocks.
    pub fn database_bytes(&self) -> u64 {
        let database = self.core.options.data.join(DATABASE_FILE);
        let mut log = database.clone().into_os_string();
        log.push("-wal");
        [database, log.into()].iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum()
    }

    /// Adds the chat's counters to a registry of metrics.
    pub(crate) fn register_metrics(&self, registry: &mut Registry) {
        self.core.shared.metrics.register(registry);
        if self.core.shared.current.is_shared() {
            self.core.shared.metrics.register_log(registry);
        }
    }
}

/// State that the writer updates and readers use.
#[derive(Debug)]
struct Shared {
    directory: Directory,
    tail: Tail,
    sessions: SessionCache,
    streams: Arc<Streams>,
    clock: Clock,
    current: Current,
    newest_snapshot: Mutex<Option<Snapshot>>,
    health: Health,
    closing: AtomicBool,
    tail_gaps: AtomicU64,
    metrics: ChatMetrics,
}

impl Shared {
    fn new(options: &ChatOptions) -> Self {
        Self {
            directory: Directory::default(),
            tail: Tail::new(options.tail),
            sessions: SessionCache::default(),
            streams: Arc::default(),
            clock: options.clock.clone(),
            current: Current::new(options.log.clone()),
            newest_snapshot: Mutex::default(),
            health: Health::default(),
            closing: AtomicBool::new(false),
            tail_gaps: AtomicU64::new(0),
            metrics: ChatMetrics::default(),
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}
