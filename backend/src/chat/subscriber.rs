//! One open `Subscribe` stream: a position in every log and in the tail, and the next frame to send.
//!
//! It has no task and no queue. The HTTP connection polls it for the next frame when it can send one, so a reader that
//! takes nothing costs only this struct.
//!
//! Order of frames: Hello, the rooms, missed events, CaughtUp, then live events; see `Subscribe` in the contract. The
//! position in the tail is taken before the store is read, so no event falls between the two; events that come twice are
//! recognised by their number.

mod catch_up;
mod live;
mod recovery;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::Stream;
use proto::EncodedSubscribeResponse;
use proto::chat::v1::{self as pb, subscribe_response::Frame};
use tokio::time::Sleep;

use self::catch_up::{MIN_READ_BYTES, Request, Step};
use super::encoding;
use super::error::ChatError;
use super::operations::Core;
use super::session::Session;
use super::streams::OpenStream;
use super::tail::Position;
use super::types::ClientCursor;
use super::wakers::ReaderWaker;

/// Relative jitter of the heartbeat interval, so that streams that were opened together do not send heartbeats together.
const JITTER: f64 = 0.2;

/// An open stream.
pub(super) struct Subscriber {
    core: Arc<Core>,
    session: Arc<Session>,
    registration: OpenStream,
    waker: ReaderWaker,
    position: Position,
    /// Indexed by room key.
    rooms: Vec<RoomPosition>,
    phase: Phase,
    /// Frames to send next: those of one read from the store, at most `MAX_READ_BYTES`, and read markers.
    ready: VecDeque<EncodedSubscribeResponse>,
    last_read: Instant,
    next_read: usize,
    heartbeat: Pin<Box<Sleep>>,
    last_sent: Instant,
}

/// The stream's position in a room.
#[derive(Clone, Copy, Debug)]
struct RoomPosition {
    /// The last event that was sent or does not have to be.
    last: u64,
    /// The head in the last heartbeat or in the room's state.
    announced_head: u64,
    /// The user's read marker as last sent.
    read: u64,
}

enum Phase {
    /// Nothing was sent.
    New(Request),
    /// Hello was sent; the rooms come next.
    HelloSent(Arc<Request>),
    /// Steps that have to be done before the stream is live.
    CatchingUp(VecDeque<Step>),
    /// The tail has everything that this stream needs.
    Live,
    /// A goodbye was sent; the stream ends with this status next.
    Leaving(Option<ChatError>),
    /// The stream has ended.
    Ended,
}

impl Subscriber {
    /// A stream that has sent nothing. It misses no event from here on.
    pub(super) fn new(
        core: Arc<Core>,
        session: Arc<Session>,
        registration: OpenStream,
        waker: ReaderWaker,
        cursors: Vec<ClientCursor>,
        replay_limit: u32,
    ) -> Self {
        let position = core.shared.tail.end();
        let cursors = cursors.into_iter().map(|cursor| (cursor.room.clone(), cursor)).collect();
        let heartbeat = Box::pin(tokio::time::sleep(jittered(core.options.heartbeat_interval)));
        Self {
            core,
            session,
            registration,
            waker,
            position,
            rooms: Vec::new(),
            phase: Phase::New(Request { cursors, replay_limit: replay_limit.into() }),
            ready: VecDeque::new(),
            last_read: Instant::now(),
            next_read: MIN_READ_BYTES,
            heartbeat,
            last_sent: Instant::now(),
        }
    }

    /// The frames until the end of the stream; an error is its final status.
    pub(super) fn into_stream(
        self,
    ) -> impl Stream<Item = Result<EncodedSubscribeResponse, ChatError>> + Send + 'static {
        futures_util::stream::unfold(self, |mut subscriber| async move {
            let frame = subscriber.next().await?;
            Some((frame, subscriber))
        })
    }

    /// The position in the tail.
    #[cfg(test)]
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// The next frame; `None` when the stream has ended.
    pub(super) async fn next(&mut self) -> Option<Result<EncodedSubscribeResponse, ChatError>> {
        let result = self.next_frame().await;
        self.last_sent = Instant::now();
        if result.is_err() {
            self.phase = Phase::Ended;
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
                Phase::New(_) => return Ok(Some(self.hello())),
                // The futures of what is rare have memory of their own, because every stream would have the room.
                Phase::HelloSent(_) => Box::pin(self.plan_catch_up()).await?,
                Phase::CatchingUp(steps) => match steps.pop_front() {
                    Some(Step::State(frame)) => return Ok(Some(frame)),
                    Some(Step::Replay { room, to }) => Box::pin(self.replay(room, to)).await?,
                    Some(Step::CaughtUp) => {
                        return Ok(Some(encoding::frame(Frame::CaughtUp(pb::CaughtUp {}))));
                    }
                    None => {
                        self.phase = Phase::Live;
                        self.ready = VecDeque::new();
                    }
                },
                Phase::Live => {
                    if let Some(frame) = self.next_live().await? {
                        return Ok(Some(frame));
                    }
                }
                Phase::Leaving(error) => match error.take() {
                    Some(error) => return Err(error),
                    None => {
                        self.phase = Phase::Ended;
                        return Ok(None);
                    }
                },
                Phase::Ended => return Ok(None),
            }
        }
    }

    /// The goodbye, when the stream has to end.
    fn goodbye_if_due(&mut self) -> Option<EncodedSubscribeResponse> {
        if matches!(self.phase, Phase::Leaving(_) | Phase::Ended) {
            return None;
        }
        if self.registration.mailbox.session_ended() {
            return Some(self.say_goodbye(pb::GoodbyeReason::SignedOut));
        }
        if self.core.shared.is_closing() {
            return Some(self.say_goodbye(pb::GoodbyeReason::Shutdown));
        }
        let catching_up = matches!(self.phase, Phase::CatchingUp(_)) || !self.ready.is_empty();
        if catching_up && self.is_stalled() {
            return Some(self.say_goodbye(pb::GoodbyeReason::Slow));
        }
        None
    }

    fn is_stalled(&self) -> bool {
        self.last_sent.elapsed() > self.core.options.stall_timeout
    }

    fn say_goodbye(&mut self, reason: pb::GoodbyeReason) -> EncodedSubscribeResponse {
        self.core.shared.metrics.count_goodbye(reason);
        let signed_out = reason == pb::GoodbyeReason::SignedOut;
        self.phase = Phase::Leaving(signed_out.then_some(ChatError::SessionEnded));
        self.ready.clear();
        let after = if signed_out { Duration::ZERO } else { self.core.options.reconnect_delay.pick() };
        encoding::frame(Frame::Goodbye(pb::Goodbye {
            reason: reason.into(),
            reconnect: !signed_out,
            reconnect_after_ms: millis(after),
        }))
    }

    fn hello(&mut self) -> EncodedSubscribeResponse {
        if let Phase::New(request) = std::mem::replace(&mut self.phase, Phase::Ended) {
            self.phase = Phase::HelloSent(Arc::new(request));
        }
        encoding::frame(Frame::Hello(pb::Hello {
            user: Some((&self.session.user).into()),
            heartbeat_interval_ms: millis(self.core.options.heartbeat_interval.mul_f64(1.0 + JITTER)),
            now_ms: self.core.shared.clock.now_ms(),
        }))
    }
}

fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64())
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
