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
use rusqlite::Connection;
use tokio::sync::watch;

use self::clock::Clock;
#[cfg(test)]
use self::clock::wall_ms as now_ms;
use self::directory::{Directory, Room};
use self::error::ChatError;
use self::health::Health;
use self::session::{Session, Sessions, Token, TokenHash};
use self::store::{DamageCheck, EventsPage, Purpose, Readers, Requester};
use self::streams::Streams;
use self::subscriber::Subscriber;
use self::tail::Tail;
use self::types::{
    ClientCursor, Marker, MessageText, OperationId, PageRange, Receipt, RoomId, RoomName, RoomView, User,
    UserKey, UserName,
};
use self::wire::EventBody;
use self::writer::{
    CreateRoom, EndSession, Join, MarkRead, MarkUsed, Prolong, SendMessage, Writer, WriterThread,
};
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

/// The chat's operations on valid input, without any word of gRPC.
#[derive(Debug)]
struct Core {
    shared: Arc<Shared>,
    writer: Writer,
    readers: Readers,
    options: ChatOptions,
}

impl Core {
    /// Has `query` run beside the writer, for `requester`. Damage that it meets stops all writing.
    async fn read<T: Send + 'static>(
        &self,
        requester: Requester,
        purpose: Purpose,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ChatError> {
        let result = self.readers.read(requester, purpose, query).await;
        if let Err(error) = &result
            && error.fault() == Some(Fault::Damaged)
            && self.shared.health.fail(Fault::Damaged)
        {
            store::report_damage(&self.options.data.join(DATABASE_FILE), &error.to_string());
        }
        Ok(result?)
    }

    /// Refuses when the server is shutting down.
    fn check_open(&self) -> Result<(), ChatError> {
        if self.shared.is_closing() { Err(ChatError::ShuttingDown) } else { Ok(()) }
    }

    async fn join(&self, name: UserName) -> Result<(User, Token), ChatError> {
        let token = Token::random()?;
        let user_id = random::id()?;
        let join =
            Join { user_id, name, token: TokenHash::of(token.as_str()), lifetime_ms: self.lifetime_ms() };
        let user = self.writer.write(join).await?;
        Ok((user, token))
    }

    /// The valid session with this token, if it is remembered.
    fn remembered(&self, token: &TokenHash) -> Option<Arc<Session>> {
        self.shared.sessions.get(token).ok().filter(|session| !session.is_expired(self.shared.clock.now_ms()))
    }

    /// The valid session with this token. `requester` is who waits when the database has to be read.
    async fn session(&self, token: &TokenHash, requester: Requester) -> Result<Arc<Session>, ChatError> {
        let session = match self.shared.sessions.get(token) {
            Ok(session) => session,
            Err(moment) => {
                let hash = *token;
                let query = move |connection: &_| store::session(connection, &hash);
                let row = self.read(requester, Purpose::Call, query).await?;
                let row = row.ok_or(ChatError::NoSession)?;
                let session = Arc::new(Session::new(hash, row.user, row.expires_at_ms));
                if row.used || self.mark_used(hash).await? {
                    self.shared.sessions.remember(session.clone(), moment);
                }
                session
            }
        };
        if session.is_expired(self.shared.clock.now_ms()) { Err(ChatError::NoSession) } else { Ok(session) }
    }

    /// Remembers that a session is used, before its first use has an effect: then it is not removed as unused. False
    /// when nothing can be stored at the moment; what is only read goes on.
    async fn mark_used(&self, token: TokenHash) -> Result<bool, ChatError> {
        let writer = self.writer.clone();
        // In a task of its own: a stream asks for its session too, and a place in the writer's queue must not wait for
        // a peer that takes nothing.
        let marked = tokio::spawn(async move { writer.write(MarkUsed { token }).await });
        match marked.await.unwrap_or(Err(ChatError::ShuttingDown)) {
            Ok(()) => Ok(true),
            Err(ChatError::CannotStore(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn prolong(&self, session: &Session) -> Result<(), ChatError> {
        let prolong = Prolong { token: session.token, lifetime_ms: self.lifetime_ms() };
        session.prolong(self.writer.write(prolong).await?);
        Ok(())
    }

    async fn sign_out(&self, session: &Session) -> Result<(), ChatError> {
        self.writer.write(EndSession { token: session.token, user: session.user.key }).await
    }

    async fn create_room(
        &self,
        author: &User,
        name: RoomName,
        operation: OperationId,
    ) -> Result<RoomView, ChatError> {
        let id = RoomId::named(random::id()?);
        let epoch = random::epoch()?;
        let allowed = self.options.rooms_per_user;
        self.writer.write(CreateRoom { author: author.clone(), operation, name, id, epoch, allowed }).await
    }

    async fn rooms(&self, user: &User) -> Result<Vec<RoomView>, ChatError> {
        self.rooms_for(user.key, Purpose::Call).await
    }

    async fn rooms_for(&self, user: UserKey, purpose: Purpose) -> Result<Vec<RoomView>, ChatError> {
        let query = move |connection: &_| store::rooms(connection, user);
        self.read(Requester::User(user), purpose, query).await
    }

    fn room(&self, id: &str) -> Result<Arc<Room>, ChatError> {
        self.shared.directory.find(id).ok_or(ChatError::NoSuchRoom)
    }

    async fn send(
        &self,
        author: &User,
        room: &Room,
        operation: OperationId,
        text: MessageText,
    ) -> Result<Receipt, ChatError> {
        // Encoded here, on the caller's thread: the writer's time is everybody's.
        let body = EventBody::message(author, operation, &text);
        self.writer.write(SendMessage { author: author.key, room: room.key, operation, text, body }).await
    }

    async fn page(
        &self,
        user: &User,
        room: &Room,
        range: PageRange,
        limit: u32,
    ) -> Result<EventsPage, ChatError> {
        let key = room.key;
        let query = move |connection: &_| store::page(connection, key, range, limit.into());
        self.read(Requester::User(user.key), Purpose::Call, query).await
    }

    async fn mark_read(&self, user: &User, room: &Room, seq: u64) -> Result<Marker, ChatError> {
        self.writer.write(MarkRead { user: user.key, room: room.key, seq }).await
    }

    async fn subscribe(
        self: &Arc<Self>,
        session: Arc<Session>,
        cursors: Vec<ClientCursor>,
        replay_limit: u32,
    ) -> Result<Subscriber, ChatError> {
        let open = self.shared.streams.open(session.user.key, session.token)?;
        // Once more, now that the end of the session would reach this stream.
        let session = self.session(&session.token, Requester::User(session.user.key)).await?;
        Ok(Subscriber::new(self.clone(), session, open, cursors, replay_limit))
    }

    fn lifetime_ms(&self) -> i64 {
        i64::try_from(self.options.session_lifetime.as_millis()).unwrap_or(i64::MAX / 2)
    }
}
