//! One open stream: a position in every log and in the tail, and what to send next.
//!
//! It is no task and has no queue. Whoever writes to the connection asks for the next frame when the
//! connection can take one, so a reader that takes nothing costs nothing but this.
//!
//! Hello, the rooms, what was missed, CaughtUp, then live; see `Subscribe` in the contract. The tail's end is
//! taken as position before the store is read, so nothing falls between the two; what comes twice is known by
//! its number.

mod answer;

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::Stream;
use proto::EncodedSubscribeResponse;
use proto::chat::v1::{self as pb, subscribe_response::Frame};
use rusqlite::Connection;
use tokio::sync::watch;
use tokio::time::Sleep;

use self::answer::{Answer, answer};
use super::error::ChatError;
use super::operations::Core;
use super::session::Session;
use super::store::{self, Purpose, Requester, StoreError, replay_page};
use super::streams::OpenStream;
use super::tail::{Entry, Next, Position};
use super::types::{ClientCursor, RoomId, RoomKey, RoomView};
use super::wire;

/// How much longer or shorter than the interval a heartbeat waits, so that streams opened together do not beat
/// together.
const JITTER: f64 = 0.2;

/// How many bytes of events are read from the store at once for a reader whose pace is not known, and for a slow
/// one. It is what a reader who stops in the middle holds in memory.
const SLOW_READ: usize = 64 * 1024;

/// The same for a fast reader, so that the change of threads between two readings does not count.
const FAST_READ: usize = 256 * 1024;

/// A reader who has taken what was read before within this time is fast: the next reading is twice as large. For
/// any other it is half.
const FAST: Duration = Duration::from_millis(50);

/// An open stream.
pub(super) struct Subscriber {
    core: Arc<Core>,
    session: Arc<Session>,
    open: OpenStream,
    bell: watch::Receiver<()>,
    position: Position,
    /// By room key.
    rooms: Vec<Followed>,
    phase: Phase,
    /// Frames read from the store together, [`FAST_READ`] at most, and markers.
    ready: VecDeque<EncodedSubscribeResponse>,
    last_read: Instant,
    next_read: usize,
    heartbeat: Pin<Box<Sleep>>,
    last_sent: Instant,
}

/// How far this stream is in a room.
#[derive(Clone, Copy, Debug)]
struct Followed {
    /// The last event that was sent or need not be.
    last: u64,
    /// What the last heartbeat, or the room's state, said of it.
    announced: u64,
    /// The user's read marker as this stream has told it.
    read: u64,
}

enum Phase {
    /// Nothing was sent.
    New(Wish),
    /// The client was greeted and is to be told of the rooms.
    Greeted(Arc<Wish>),
    /// The store is ahead of this stream.
    CatchingUp(VecDeque<Step>),
    /// The tail has all that this stream needs.
    Live,
    /// Goodbye was said; this is how the stream ends.
    Leaving(Option<ChatError>),
    /// The stream has ended.
    Over,
}

/// What the client asked for.
struct Wish {
    cursors: HashMap<RoomId, ClientCursor>,
    replay_limit: u64,
}

enum Step {
    State(EncodedSubscribeResponse),
    Replay { room: RoomKey, to: u64 },
    CaughtUp,
}

impl Subscriber {
    /// A stream that has sent nothing yet. From here on it misses nothing.
    pub(super) fn new(
        core: Arc<Core>,
        session: Arc<Session>,
        open: OpenStream,
        cursors: Vec<ClientCursor>,
        replay_limit: u32,
    ) -> Self {
        let bell = core.shared.tail.bell();
        let position = core.shared.tail.end();
        let cursors = cursors.into_iter().map(|cursor| (cursor.room.clone(), cursor)).collect();
        let heartbeat = Box::pin(tokio::time::sleep(jittered(core.options.heartbeat_interval)));
        Self {
            core,
            session,
            open,
            bell,
            position,
            rooms: Vec::new(),
            phase: Phase::New(Wish { cursors, replay_limit: replay_limit.into() }),
            ready: VecDeque::new(),
            last_read: Instant::now(),
            next_read: SLOW_READ,
            heartbeat,
            last_sent: Instant::now(),
        }
    }

    /// The frames, until the stream ends; an error is the status it ends with.
    pub(super) fn into_stream(
        self,
    ) -> impl Stream<Item = Result<EncodedSubscribeResponse, ChatError>> + Send + 'static {
        futures_util::stream::unfold(self, |mut subscriber| async move {
            let frame = subscriber.next().await?;
            Some((frame, subscriber))
        })
    }

    /// Where it is in the tail.
    #[cfg(test)]
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// The next frame; nothing when the stream has ended.
    pub(super) async fn next(&mut self) -> Option<Result<EncodedSubscribeResponse, ChatError>> {
        let result = self.next_frame().await;
        self.last_sent = Instant::now();
        if result.is_err() {
            self.phase = Phase::Over;
        }
        result.transpose()
    }

    async fn next_frame(&mut self) -> Result<Option<EncodedSubscribeResponse>, ChatError> {
        loop {
            if let Some(goodbye) = self.goodbye_if_due() {
                return Ok(Some(goodbye));
            }
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            match &mut self.phase {
                Phase::New(_) => return Ok(Some(self.greet())),
                Phase::Greeted(_) => self.look_at_rooms().await?,
                Phase::CatchingUp(steps) => match steps.pop_front() {
                    Some(Step::State(frame)) => return Ok(Some(frame)),
                    Some(Step::Replay { room, to }) => self.replay(room, to).await?,
                    Some(Step::CaughtUp) => return Ok(Some(wire::frame(Frame::CaughtUp(pb::CaughtUp {})))),
                    None => self.phase = Phase::Live,
                },
                Phase::Live => {
                    if let Some(frame) = self.live().await? {
                        return Ok(Some(frame));
                    }
                }
                Phase::Leaving(error) => match error.take() {
                    Some(error) => return Err(error),
                    None => {
                        self.phase = Phase::Over;
                        return Ok(None);
                    }
                },
                Phase::Over => return Ok(None),
            }
        }
    }

    /// The last frame, when there is a reason to leave.
    fn goodbye_if_due(&mut self) -> Option<EncodedSubscribeResponse> {
        if matches!(self.phase, Phase::Leaving(_) | Phase::Over) {
            return None;
        }
        if self.open.mailbox.session_ended() {
            return Some(self.leave(pb::GoodbyeReason::SignedOut));
        }
        if self.core.shared.is_closing() {
            return Some(self.leave(pb::GoodbyeReason::Shutdown));
        }
        let catching_up = matches!(self.phase, Phase::CatchingUp(_)) || !self.ready.is_empty();
        if catching_up && self.took_nothing_for_too_long() {
            return Some(self.leave(pb::GoodbyeReason::Slow));
        }
        None
    }

    fn took_nothing_for_too_long(&self) -> bool {
        self.last_sent.elapsed() > self.core.options.stall_timeout
    }

    fn leave(&mut self, reason: pb::GoodbyeReason) -> EncodedSubscribeResponse {
        let signed_out = reason == pb::GoodbyeReason::SignedOut;
        self.phase = Phase::Leaving(signed_out.then_some(ChatError::SessionEnded));
        self.ready.clear();
        let after = if signed_out { Duration::ZERO } else { self.core.options.spread.pick() };
        wire::frame(Frame::Goodbye(pb::Goodbye {
            reason: reason.into(),
            reconnect: !signed_out,
            reconnect_after_ms: millis(after),
        }))
    }

    fn greet(&mut self) -> EncodedSubscribeResponse {
        if let Phase::New(wish) = std::mem::replace(&mut self.phase, Phase::Over) {
            self.phase = Phase::Greeted(Arc::new(wish));
        }
        wire::frame(Frame::Hello(pb::Hello {
            user: Some((&self.session.user).into()),
            heartbeat_interval_ms: millis(self.core.options.heartbeat_interval.mul_f64(1.0 + JITTER)),
            now_ms: self.core.shared.clock.now_ms(),
        }))
    }

    /// Reads where every room stands, and plans what the client's cursors make of it.
    async fn look_at_rooms(&mut self) -> Result<(), ChatError> {
        let Phase::Greeted(wish) = &self.phase else { return Ok(()) };
        let wish = wish.clone();
        let user = self.session.user.key;
        let look = move |connection: &_| {
            let views = store::rooms(connection, user)?.into_iter();
            let answers = views.map(|view| {
                let cursor = wish.cursors.get(&view.id);
                let stored = fingerprint_to_compare(connection, cursor, &view)?;
                let answer = answer(cursor, stored, &view, wish.replay_limit);
                Ok((view, answer))
            });
            answers.collect::<Result<Vec<_>, StoreError>>()
        };
        let requester = Requester::User(self.session.user.key);
        let rooms = self.core.read(requester, Purpose::Stream, look).await?;
        let mut steps = VecDeque::with_capacity(rooms.len() + 1);
        for (view, answer) in rooms {
            steps.push_back(self.follow(&view, answer));
            if answer.after < view.head {
                steps.push_back(Step::Replay { room: view.key, to: view.head });
            }
        }
        steps.push_back(Step::CaughtUp);
        self.phase = Phase::CatchingUp(steps);
        Ok(())
    }

    async fn read_rooms(&self) -> Result<Vec<RoomView>, ChatError> {
        self.core.rooms_for(self.session.user.key, Purpose::Stream).await
    }

    fn follow(&mut self, view: &RoomView, answer: Answer) -> Step {
        debug_assert_eq!(view.key.index(), self.rooms.len());
        self.rooms.push(Followed { last: answer.after, announced: view.head, read: view.read });
        Step::State(wire::frame(Frame::RoomState(wire::room_state(view, answer.recovery, answer.lost))))
    }

    /// Reads the next page of what is missing in a room, and stays at it until `to` is reached.
    async fn replay(&mut self, room: RoomKey, to: u64) -> Result<(), ChatError> {
        let after = self.rooms[room.index()].last;
        if after >= to {
            return Ok(());
        }
        let budget = self.budget();
        let page = move |connection: &_| replay_page(connection, room, after, to, budget);
        let requester = Requester::User(self.session.user.key);
        let (frames, last) = self.core.read(requester, Purpose::Stream, page).await?;
        self.last_read = Instant::now();
        self.ready.extend(frames);
        self.rooms[room.index()].last = last;
        if let (true, Phase::CatchingUp(steps)) = (last < to, &mut self.phase) {
            steps.push_front(Step::Replay { room, to });
        }
        Ok(())
    }

    /// How much to read next.
    fn budget(&mut self) -> usize {
        let fast = self.last_read.elapsed() < FAST;
        self.next_read =
            if fast { self.next_read * 2 } else { self.next_read / 2 }.clamp(SLOW_READ, FAST_READ);
        self.next_read
    }

    /// The next frame of the running log; nothing when something else is to be done first.
    async fn live(&mut self) -> Result<Option<EncodedSubscribeResponse>, ChatError> {
        self.take_markers();
        if let Some(frame) = self.ready.pop_front() {
            return Ok(Some(frame));
        }
        match self.core.shared.tail.next(&mut self.position) {
            Next::Entry(entry) => {
                let waited_long = entry.published.elapsed() > self.core.options.stall_timeout;
                if waited_long && self.took_nothing_for_too_long() {
                    return Ok(Some(self.leave(pb::GoodbyeReason::Slow)));
                }
                self.take(entry).await
            }
            Next::Behind if self.took_nothing_for_too_long() => Ok(Some(self.leave(pb::GoodbyeReason::Slow))),
            Next::Behind => {
                self.fall_back().await?;
                Ok(None)
            }
            Next::AtEnd => self.wait().await,
        }
    }

    /// The entry's frame if it continues what this stream has sent.
    async fn take(&mut self, entry: Entry) -> Result<Option<EncodedSubscribeResponse>, ChatError> {
        let (index, known) = (entry.room.index(), self.rooms.len());
        match self.rooms.get_mut(index) {
            Some(room) if entry.last <= room.last => Ok(None),
            Some(room) if entry.first == room.last + 1 && !entry.opens_room => {
                room.last = entry.last;
                Ok(Some(entry.frame))
            }
            Some(room) => {
                tracing::warn!(
                    room.last,
                    entry.first,
                    "the tail does not continue a stream: reading the store"
                );
                self.core.shared.holes.fetch_add(1, Ordering::Relaxed);
                self.phase = Phase::CatchingUp([Step::Replay { room: entry.room, to: entry.last }].into());
                Ok(None)
            }
            None if entry.opens_room && index == known => {
                self.rooms.push(Followed { last: entry.last, announced: entry.last, read: 0 });
                Ok(Some(entry.frame))
            }
            None => {
                self.fall_back().await?;
                Ok(None)
            }
        }
    }

    /// Goes to the store for everything between what was sent and the tail's end.
    async fn fall_back(&mut self) -> Result<(), ChatError> {
        // Position first, heads second: what the tail has before the position is below the heads.
        self.position = self.core.shared.tail.end();
        let heads = self.core.shared.directory.heads();
        let known = self.rooms.len();
        let mut steps = VecDeque::new();
        if heads.len() > known {
            for view in self.read_rooms().await?.iter().skip(known) {
                steps.push_back(self.follow(view, Answer::fresh(view)));
            }
        }
        for (room, to) in heads {
            if self.rooms.get(room.index()).is_some_and(|followed| followed.last < to) {
                steps.push_back(Step::Replay { room, to });
            }
        }
        self.phase = Phase::CatchingUp(steps);
        Ok(())
    }

    /// Makes frames of the read markers that moved.
    fn take_markers(&mut self) {
        for (key, marker) in self.open.mailbox.take_markers() {
            // A room's state may have told of it already.
            let news = self.rooms.get_mut(key.index()).filter(|room| room.read < marker.read);
            let (Some(followed), Some(room)) = (news, self.core.shared.directory.get(key)) else { continue };
            followed.read = marker.read;
            self.ready.push_back(wire::frame(Frame::ReadMarker(pb::ReadMarker {
                room_id: room.id.as_str().to_owned(),
                read_seq: marker.read,
                unread: marker.unread,
            })));
        }
    }

    /// Waits for something to do; a heartbeat when there was nothing for long.
    async fn wait(&mut self) -> Result<Option<EncodedSubscribeResponse>, ChatError> {
        tokio::select! {
            biased;
            // The sender lives as long as `core`.
            _ = self.bell.changed() => Ok(None),
            () = self.open.mailbox.changed() => Ok(None),
            () = self.heartbeat.as_mut() => self.beat().await,
        }
    }

    async fn beat(&mut self) -> Result<Option<EncodedSubscribeResponse>, ChatError> {
        if self.session.is_expired(self.core.shared.clock.now_ms()) {
            // Another window may have prolonged it.
            match self.core.session(&self.session.token, Requester::User(self.session.user.key)).await {
                Ok(session) => self.session = session,
                Err(ChatError::NoSession) => return Ok(Some(self.leave(pb::GoodbyeReason::SignedOut))),
                Err(error) => return Err(error),
            }
        }
        let interval = jittered(self.core.options.heartbeat_interval);
        // Setting the timer anew for every frame would cost more than the frame.
        let quiet = self.last_sent.elapsed();
        let least = self.core.options.heartbeat_interval.mul_f64(1.0 - JITTER);
        let due = quiet >= least;
        let pause = if due { interval } else { interval.saturating_sub(quiet) };
        self.heartbeat.as_mut().reset(tokio::time::Instant::now() + pause);
        let frame = due.then(|| self.heartbeat_frame());
        // The numbers show what the tail has left out as soon as more comes; this shows it when nothing does.
        self.fall_back().await?;
        Ok(frame)
    }

    fn heartbeat_frame(&mut self) -> EncodedSubscribeResponse {
        let mut heads = Vec::new();
        for (index, followed) in self.rooms.iter_mut().enumerate() {
            if followed.last == followed.announced {
                continue;
            }
            if let Some(room) = self.core.shared.directory.get(RoomKey::from_index(index)) {
                followed.announced = followed.last;
                let room_id = room.id.as_str().to_owned();
                heads.push(pb::Cursor { room_id, epoch: room.epoch, seq: followed.last, fingerprint: 0 });
            }
        }
        wire::frame(Frame::Heartbeat(pb::Heartbeat { now_ms: self.core.shared.clock.now_ms(), heads }))
    }
}

/// The fingerprint of the event that a cursor stands at, when the cursor has one and there is such an event.
fn fingerprint_to_compare(
    connection: &Connection,
    cursor: Option<&ClientCursor>,
    view: &RoomView,
) -> Result<Option<u64>, StoreError> {
    match cursor {
        Some(cursor) if cursor.fingerprint != 0 && cursor.seq == view.head => Ok(Some(view.fingerprint)),
        Some(cursor) if cursor.fingerprint != 0 && cursor.epoch == view.epoch && cursor.seq < view.head => {
            store::fingerprint_at(connection, view.key, cursor.seq)
        }
        _ => Ok(None),
    }
}

fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64())
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
