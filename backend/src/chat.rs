//! The chat: rooms whose logs are stored before anything is acknowledged, and streams that follow them.
//!
//! [`Chat`] is opened on a data folder, gives the gRPC service, and is closed in order. The core knows no
//! type of gRPC: `service` is the adapter, `error` says what goes wrong in its words.
//!
//! A message goes from `service` to `writer`, which stores it together with all that waits, hands it to
//! `tail`, and acknowledges it; every `subscriber` takes it from there, or, when it was too slow for that, from
//! the `store`.

pub mod clock;
mod directory;
mod error;
mod health;
mod operations;
mod random;
mod service;
mod session;
mod store;
mod streams;
mod subscriber;
mod tail;
mod text;
mod types;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::chat::v1::server::chat_service_server::{ChatService, ChatServiceServer};
use tokio::sync::watch;

use self::clock::Clock;
#[cfg(test)]
use self::clock::wall_ms as now_ms;
use self::directory::Directory;
use self::health::Health;
use self::operations::Core;
use self::session::Sessions;
use self::store::{DamageCheck, Readers};
use self::streams::Streams;
use self::tail::Tail;
use self::writer::{Writer, WriterThread};
use crate::rates::Rates;

pub use self::health::Fault;
pub use self::session::{COOKIE, REMEMBERED_SESSIONS};
pub use self::store::{
    Checked, CopyError, DATABASE_FILE, HEAD_FILE, LOCK_FILE, MAX_FINDINGS, OpenError, Restored, StoreError,
    backup, check, restore,
};
pub use self::streams::STREAMS_PER_USER;
pub use self::tail::{TAIL_BYTES, TAIL_FRAMES, TailLimits};
pub use self::types::{MAX_MESSAGE_CHARS, MAX_ROOM_NAME_CHARS, MAX_USER_NAME_CHARS};

/// The most rooms, the first one counted.
pub const MAX_ROOMS: usize = 1_000;

/// How many rooms one user may have made that are still there, unless told otherwise.
pub const ROOMS_PER_USER: usize = 20;

/// The most cursors in one `Subscribe`.
pub const MAX_CURSORS: usize = 1_000;

/// The most events on a page of history.
pub const MAX_PAGE_EVENTS: u32 = 500;

/// The events on a page of history when the client does not say.
pub const DEFAULT_PAGE_EVENTS: u32 = 100;

/// The largest request in bytes. A thousand cursors take about 60 KiB, the longest message 16 KiB.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// How long a session lives after it was last prolonged.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long a session lives that is never used: the answer that brought it got lost, or the browser kept no cookie. Then
/// its name is free again.
pub const UNUSED_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How often a quiet stream is sent a heartbeat, a fifth more or less.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(20);

/// How long a reader may take nothing while events wait.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// When those who were sent away come back.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The first, after this.
    pub from: Duration,
    /// The last, before this.
    pub to: Duration,
}

impl Default for Spread {
    /// From half a second, which a restart takes, to five.
    fn default() -> Self {
        Self { from: Duration::from_millis(500), to: Duration::from_secs(5) }
    }
}

impl Spread {
    fn pick(&self) -> Duration {
        self.from + self.to.saturating_sub(self.from).mul_f64(fastrand::f64())
    }
}

/// How a chat is set up.
#[derive(Clone, Debug)]
pub struct ChatOptions {
    /// The folder of the database; made if it is not there.
    pub data: PathBuf,
    /// Whether the session's cookie says `Secure`: for a server that is reached by https only.
    pub secure_cookie: bool,
    /// See [`ROOMS_PER_USER`].
    pub rooms_per_user: usize,
    /// See [`SESSION_LIFETIME`].
    pub session_lifetime: Duration,
    /// See [`HEARTBEAT_INTERVAL`].
    pub heartbeat_interval: Duration,
    /// See [`STALL_TIMEOUT`].
    pub stall_timeout: Duration,
    /// When those who were sent away come back.
    pub spread: Spread,
    /// How much of the newest events is held in memory.
    pub tail: TailLimits,
    /// See [`UNUSED_LIFETIME`].
    pub unused_lifetime: Duration,
    /// What time it is.
    pub clock: Clock,
}

impl Default for ChatOptions {
    /// The constants above, with the database in `data`.
    fn default() -> Self {
        Self {
            data: "data".into(),
            secure_cookie: false,
            rooms_per_user: ROOMS_PER_USER,
            session_lifetime: SESSION_LIFETIME,
            heartbeat_interval: HEARTBEAT_INTERVAL,
            stall_timeout: STALL_TIMEOUT,
            spread: Spread::default(),
            tail: TailLimits::default(),
            unused_lifetime: UNUSED_LIFETIME,
            clock: Clock::default(),
        }
    }
}

/// How a chat's readers are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Open streams.
    pub streams: usize,
    /// Frames in the tail.
    pub tail_frames: usize,
    /// Bytes of these frames.
    pub tail_bytes: usize,
    /// How often a stream found that the tail did not continue it, and read the store instead. Nothing is lost
    /// by it, and it should never happen.
    pub holes: u64,
}

/// A chat that runs. Clones are handles of the same one.
#[derive(Clone, Debug)]
pub struct Chat {
    core: Arc<Core>,
    thread: Arc<Mutex<Option<WriterThread>>>,
    check: Arc<Mutex<Option<DamageCheck>>>,
}

impl Chat {
    /// Opens the database, made or brought to the current version if need be, and starts the writer. Blocks.
    pub fn open(options: ChatOptions) -> Result<Self, OpenError> {
        let opened = store::open(&options.data)?;
        let shared = Arc::new(Shared {
            directory: Directory::default(),
            tail: Tail::new(options.tail),
            sessions: Sessions::default(),
            streams: Arc::default(),
            clock: options.clock.clone(),
            health: Health::default(),
            closing: AtomicBool::new(false),
            holes: AtomicU64::new(0),
        });
        let (path, suspect) = (opened.path.clone(), opened.suspect);
        let (writer, thread) = Writer::start(opened, shared.clone(), options.unused_lifetime)
            .map_err(|error| error.naming_file(path.clone()))?;
        let readers = Readers::open(&path)?;
        let check = suspect.then(|| {
            let shared = shared.clone();
            DamageCheck::start(&path, move || {
                shared.health.fail(Fault::Damaged);
            })
        });
        let core = Core { shared, writer, readers, options };
        Ok(Self {
            core: Arc::new(core),
            thread: Arc::new(Mutex::new(Some(thread))),
            check: Arc::new(Mutex::new(check.transpose()?)),
        })
    }

    /// The gRPC service, its calls counted by `rates`.
    pub fn service(&self, rates: Arc<Rates>) -> ChatServiceServer<impl ChatService> {
        let service = service::Service::new(self.core.clone(), rates);
        ChatServiceServer::new(service).max_decoding_message_size(MAX_REQUEST_BYTES)
    }

    /// Says goodbye on every stream, and refuses new calls.
    pub fn begin_shutdown(&self) {
        self.core.shared.closing.store(true, Ordering::Release);
        self.core.shared.tail.ring();
    }

    /// Waits until everything that was accepted is stored, and closes the database.
    pub async fn close(self) {
        self.begin_shutdown();
        let check = self.check.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(check) = check {
            tokio::task::spawn_blocking(move || check.stop()).await.ok();
        }
        self.core.readers.close().await;
        self.core.writer.close().await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It cannot fail: joining does not panic, and nobody aborts it.
            tokio::task::spawn_blocking(move || thread.join()).await.ok();
        }
    }

    /// Why nothing can be stored, now and from now on; nothing when all is well.
    pub fn health(&self) -> watch::Receiver<Option<Fault>> {
        self.core.shared.health.watch()
    }

    /// How its readers are doing.
    pub fn load(&self) -> Load {
        let (tail_frames, tail_bytes) = self.core.shared.tail.held();
        let shared = &self.core.shared;
        let holes = shared.holes.load(Ordering::Relaxed);
        Load { streams: shared.streams.count(), tail_frames, tail_bytes, holes }
    }
}

/// What the writer tells and the readers look at.
#[derive(Debug)]
struct Shared {
    directory: Directory,
    tail: Tail,
    sessions: Sessions,
    streams: Arc<Streams>,
    clock: Clock,
    health: Health,
    closing: AtomicBool,
    holes: AtomicU64,
}

impl Shared {
    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}
