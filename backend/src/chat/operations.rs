//! The chat's operations on validated input: calls to the writer, the readers and the state in memory.
//!
//! Knows neither tonic nor the frames of streams.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::credentials::{JoinAttempt, RecoveryCode};
use super::device::Device;
use super::directory::Room;
use super::encoding::EventBody;
use super::error::ChatError;
use super::health::Fault;
use super::session::{CookieNames, Session, SessionView, Token, TokenHash};
use super::store::{self, EventsPage, Purpose, Readers, Requester};
use super::subscriber::Subscriber;
use super::types::{
    ClientCursor, Marker, MessageText, OperationId, PageRange, Receipt, RoomId, RoomName, RoomView, User,
    UserKey, UserName,
};
use super::writer::{
    ConfirmEnd, CreateRoom, EndSession, ExtendSession, Join, MarkRead, MarkUsed, Recover, SendMessage,
    SetRecoveryCode, StartSession, Writer,
};
use super::{ChatOptions, DATABASE_FILE, Shared, StoreError, random};
use crate::error_chain::ErrorChain;

/// Result of `Join`.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) user: User,
    pub(super) token: Token,
    pub(super) code: RecoveryCode,
}

/// The chat's operations on validated input.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) shared: Arc<Shared>,
    pub(super) writer: Writer,
    pub(super) readers: Readers,
    pub(super) options: ChatOptions,
    pub(super) cookies: CookieNames,
}

impl Core {
    /// Runs `query` on a reader, for `requester`. Damage that it meets stops all writing.
    pub(super) async fn read<T: Send + 'static>(
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
            store::report_damage(&self.options.data.join(DATABASE_FILE), &ErrorChain(error).to_string());
        }
        Ok(result?)
    }

    /// Refuses while the server shuts down.
    pub(super) fn check_open(&self) -> Result<(), ChatError> {
        if self.shared.is_closing() { Err(ChatError::ShuttingDown) } else { Ok(()) }
    }

    /// Creates a user with a session, or repeats that for the same attempt.
    pub(super) async fn join(
        &self,
        name: UserName,
        attempt: Option<JoinAttempt>,
        device: Device,
    ) -> Result<Joined, ChatError> {
        let (token, code) = (Token::random()?, RecoveryCode::random()?);
        let join = Join {
            user_id: random::id()?,
            name,
            attempt,
            repeatable_ms: millis(self.options.unused_lifetime),
            recovery: code.hash(),
            session: self.start_session(&token, device),
        };
        let user = self.writer.write(join).await?;
        Ok(Joined { user, token, code })
    }

    /// Creates a session for the user with this name and recovery code.
    pub(super) async fn recover(
        &self,
        name: UserName,
        code: &RecoveryCode,
        end_others: bool,
        device: Device,
    ) -> Result<(User, Token), ChatError> {
        let token = Token::random()?;
        let session = self.start_session(&token, device);
        let user = self.writer.write(Recover { name, recovery: code.hash(), end_others, session }).await?;
        Ok((user, token))
    }

    fn start_session(&self, token: &Token, device: Device) -> StartSession {
        StartSession { token: TokenHash::of(token.as_str()), device, lifetime_ms: self.lifetime_ms() }
    }

    /// Replaces the user's recovery code.
    pub(super) async fn new_recovery_code(&self, user: &User) -> Result<RecoveryCode, ChatError> {
        let code = RecoveryCode::random()?;
        self.writer.write(SetRecoveryCode { user: user.key, recovery: code.hash() }).await?;
        Ok(code)
    }

    /// The user's sessions, the most recently used first.
    pub(super) async fn sessions(&self, user: &User) -> Result<Vec<SessionView>, ChatError> {
        let (key, now_ms) = (user.key, self.shared.clock.now_ms());
        let query = move |connection: &_| store::sessions(connection, key, now_ms);
        let mut sessions = self.read(Requester::User(key), Purpose::Call, query).await?;
        let connected = self.shared.streams.connected_sessions(key);
        for session in &mut sessions {
            session.connected = connected.contains(&session.token);
        }
        Ok(sessions)
    }

    /// Ends the user's session with this public id, if there is one.
    pub(super) async fn end_session(&self, user: &User, id: &str) -> Result<(), ChatError> {
        let mut token = self.find_session(user, id).await?;
        if token.is_none() && self.shared.current.is_shared() {
            // Another node may have made it just now.
            self.wait_until_current().await?;
            token = self.find_session(user, id).await?;
        }
        match token {
            Some(token) => self.writer.write(EndSession { token, user: user.key }).await,
            None => Ok(()),
        }
    }

    async fn find_session(&self, user: &User, id: &str) -> Result<Option<TokenHash>, ChatError> {
        let mut tokens = self.sessions(user).await?.into_iter().map(|session| session.token);
        Ok(tokens.find(|token| token.session_id() == id))
    }

    /// Records the use of a session, at most once in [`session::USE_INTERVAL_MS`](super::session::USE_INTERVAL_MS). Does not
    /// wait for it: the time of the last use may be lost with a failure.
    pub(super) fn record_use(&self, session: &Session) {
        if session.is_use_due(self.shared.clock.now_ms()) {
            let (writer, token) = (self.writer.clone(), session.token);
            tokio::spawn(async move { writer.write(MarkUsed { token }).await.ok() });
        }
    }

    /// The valid session with this token, if it is cached.
    pub(super) fn cached_session(&self, token: &TokenHash) -> Option<Arc<Session>> {
        self.shared.sessions.get(token).ok().filter(|session| !session.is_expired(self.shared.clock.now_ms()))
    }

    /// The valid session with this token. `requester` queues for the database when it is not cached.
    pub(super) async fn session(
        &self,
        token: &TokenHash,
        requester: Requester,
    ) -> Result<Arc<Session>, ChatError> {
        match self.known_session(token, requester).await {
            Err(ChatError::NoSession) if self.shared.current.is_shared() => {
                self.wait_until_current().await?;
                self.known_session(token, requester).await
            }
            found => found,
        }
    }

    /// The valid session with this token, as far as this node knows.
    async fn known_session(
        &self,
        token: &TokenHash,
        requester: Requester,
    ) -> Result<Arc<Session>, ChatError> {
        let session = match self.shared.sessions.get(token) {
            Ok(session) => session,
            Err(miss) => {
                let hash = *token;
                let query = move |connection: &_| store::session(connection, &hash);
                let row = self.read(requester, Purpose::Call, query).await?;
                let row = row.ok_or(ChatError::NoSession)?;
                let session = Arc::new(Session::new(hash, row.user, row.expires_at_ms, row.last_used_ms));
                if row.used || self.mark_used(hash).await? {
                    self.shared.sessions.insert(session.clone(), miss);
                }
                session
            }
        };
        if session.is_expired(self.shared.clock.now_ms()) { Err(ChatError::NoSession) } else { Ok(session) }
    }

    /// Marks a session as used before its first use takes effect, so that it is not removed as unused. Returns false while
    /// nothing can be stored; reading is still allowed.
    pub(super) async fn mark_used(&self, token: TokenHash) -> Result<bool, ChatError> {
        let writer = self.writer.clone();
        // In its own task: streams authenticate too, and a place in the writer's queue must not depend on a client that
        // takes nothing.
        let marked = tokio::spawn(async move { writer.write(MarkUsed { token }).await });
        match marked.await.unwrap_or(Err(ChatError::ShuttingDown)) {
            Ok(()) => Ok(true),
            Err(ChatError::CannotStore(_) | ChatError::LogUnavailable) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn extend_session(&self, session: &Session) -> Result<(), ChatError> {
        let extend = ExtendSession { token: session.token, lifetime_ms: self.lifetime_ms() };
        session.extend(self.writer.write(extend).await?);
        Ok(())
    }

    pub(super) async fn sign_out(&self, session: &Session) -> Result<(), ChatError> {
        self.writer.write(EndSession { token: session.token, user: session.user.key }).await
    }

    pub(super) async fn create_room(
        &self,
        author: &User,
        name: RoomName,
        operation: OperationId,
    ) -> Result<RoomView, ChatError> {
        let id = RoomId::new(random::id()?);
        let epoch = random::epoch()?;
        let allowed = self.options.rooms_per_user;
        self.writer.write(CreateRoom { author: author.clone(), operation, name, id, epoch, allowed }).await
    }

    pub(super) async fn rooms(&self, user: &User) -> Result<Vec<RoomView>, ChatError> {
        self.rooms_for(user.key, Purpose::Call).await
    }

    pub(super) async fn rooms_for(
        &self,
        user: UserKey,
        purpose: Purpose,
    ) -> Result<Vec<RoomView>, ChatError> {
        let query = move |connection: &_| store::rooms(connection, user);
        self.read(Requester::User(user), purpose, query).await
    }

    pub(super) async fn room(&self, id: &str) -> Result<Arc<Room>, ChatError> {
        if let Some(room) = self.shared.directory.find(id) {
            return Ok(room);
        }
        self.wait_until_current().await?;
        self.shared.directory.find(id).ok_or(ChatError::RoomNotFound)
    }

    /// Waits until this node has everything that was in the log when this was called.
    pub(super) async fn wait_until_current(&self) -> Result<(), ChatError> {
        if !self.shared.current.is_shared() {
            return Ok(());
        }
        let (shared, writer) = (self.shared.clone(), self.writer.clone());
        let before = shared.current.newest_question();
        // In its own task: others take its answer, too, which must not depend on a client that takes nothing.
        let waiting =
            tokio::spawn(async move { shared.current.wait(before, writer.write(ConfirmEnd)).await });
        waiting.await.unwrap_or(Err(ChatError::ShuttingDown))
    }

    /// Waits for the log if a client has seen more of a room than this node has: it comes from another one.
    async fn wait_for_seq(&self, room: &Room, seq: u64) -> Result<(), ChatError> {
        if seq > room.head() { self.wait_until_current().await } else { Ok(()) }
    }

    pub(super) async fn send(
        &self,
        author: &User,
        room: &Room,
        operation: OperationId,
        text: MessageText,
    ) -> Result<Receipt, ChatError> {
        // Encoded on the caller's thread: everybody waits for the writer's.
        let body = EventBody::message(author, operation, &text);
        self.writer.write(SendMessage { author: author.key, room: room.key, operation, text, body }).await
    }

    pub(super) async fn page(
        &self,
        user: &User,
        room: &Room,
        range: PageRange,
        limit: u32,
    ) -> Result<EventsPage, ChatError> {
        if let PageRange::Before(seq) | PageRange::After(seq) | PageRange::Around(seq) = range {
            self.wait_for_seq(room, seq).await?;
        }
        let key = room.key;
        let query = move |connection: &_| store::page(connection, key, range, limit.into());
        self.read(Requester::User(user.key), Purpose::Call, query).await
    }

    pub(super) async fn mark_read(&self, user: &User, room: &Room, seq: u64) -> Result<Marker, ChatError> {
        self.writer.write(MarkRead { user: user.key, room: room.key, seq }).await
    }

    pub(super) async fn subscribe(
        self: &Arc<Self>,
        session: Arc<Session>,
        cursors: Vec<ClientCursor>,
        replay_limit: u32,
    ) -> Result<Subscriber, ChatError> {
        let is_ahead = |cursor: &ClientCursor| {
            self.shared.directory.find(cursor.room.as_str()).is_none_or(|room| cursor.seq > room.head())
        };
        if cursors.iter().any(is_ahead) {
            self.wait_until_current().await?;
        }
        let waker = self.shared.tail.add_reader();
        let open = self.shared.streams.open(session.user.key, session.token, waker.handle())?;
        // Again, now that the stream is registered: the session may have ended before that.
        let session = self.session(&session.token, Requester::User(session.user.key)).await?;
        Ok(Subscriber::new(self.clone(), session, open, waker, cursors, replay_limit))
    }

    pub(super) fn lifetime_ms(&self) -> i64 {
        millis(self.options.session_lifetime)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}
