//! The live part of a stream: new entries of the tail, read markers and heartbeats.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::Poll;

use proto::EncodedSubscribeResponse;
use proto::chat::v1::{self as pb, subscribe_response::Frame};

use super::catch_up::Step;
use super::{JITTER, Phase, RoomPosition, Subscriber, jittered};
use crate::chat::encoding;
use crate::chat::error::ChatError;
use crate::chat::store::Requester;
use crate::chat::tail::{Entry, Next};
use crate::chat::types::RoomKey;

impl Subscriber {
    /// The next live frame; `None` when something else comes first.
    pub(super) async fn next_live(&mut self) -> Result<Option<EncodedSubscribeResponse>, ChatError> {
        self.queue_markers();
        if let Some(frame) = self.ready.pop_front() {
            return Ok(Some(frame));
        }
        match self.core.shared.tail.next(&mut self.position) {
            Next::Entry(entry) => {
                self.core.shared.metrics.tail_hits.inc();
                let waited_long = entry.published.elapsed() > self.core.options.stall_timeout;
                if waited_long && self.is_stalled() {
                    return Ok(Some(self.say_goodbye(pb::GoodbyeReason::Slow)));
                }
                self.accept(entry).await
            }
            Next::Behind if self.is_stalled() => Ok(Some(self.say_goodbye(pb::GoodbyeReason::Slow))),
            Next::Behind => {
                self.core.shared.metrics.tail_misses.inc();
                Box::pin(self.catch_up_to_tail()).await?;
                Ok(None)
            }
            Next::AtEnd => self.wait_for_change().await,
        }
    }

    /// The entry's frame, if it continues what this stream has sent.
    async fn accept(&mut self, entry: Entry) -> Result<Option<EncodedSubscribeResponse>, ChatError> {
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
                self.core.shared.tail_gaps.fetch_add(1, Ordering::Relaxed);
                self.phase = Phase::CatchingUp([Step::Replay { room: entry.room, to: entry.last }].into());
                Ok(None)
            }
            None if entry.opens_room && index == known => {
                self.rooms.push(RoomPosition { last: entry.last, announced_head: entry.last, read: 0 });
                Ok(Some(entry.frame))
            }
            None => {
                Box::pin(self.catch_up_to_tail()).await?;
                Ok(None)
            }
        }
    }

    /// Queues frames for read markers that moved.
    fn queue_markers(&mut self) {
        for (key, marker) in self.registration.mailbox.take_markers() {
            // The room's state may have included it.
            let news = self.rooms.get_mut(key.index()).filter(|room| room.read < marker.read);
            let (Some(position), Some(room)) = (news, self.core.shared.directory.get(key)) else { continue };
            position.read = marker.read;
            self.ready.push_back(encoding::frame(Frame::ReadMarker(pb::ReadMarker {
                room_id: room.id.as_str().to_owned(),
                read_seq: marker.read,
                unread: marker.unread,
            })));
        }
    }

    /// Waits for the next event, read marker, or heartbeat.
    async fn wait_for_change(&mut self) -> Result<Option<EncodedSubscribeResponse>, ChatError> {
        let heartbeat_is_due = poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.has_news() {
                return Poll::Ready(false);
            }
            self.heartbeat.as_mut().poll(cx).map(|()| true)
        });
        if heartbeat_is_due.await { Box::pin(self.heartbeat_due()).await } else { Ok(None) }
    }

    fn has_news(&self) -> bool {
        let shared = &self.core.shared;
        shared.tail.end() > self.position || self.registration.mailbox.has_news() || shared.is_closing()
    }

    async fn heartbeat_due(&mut self) -> Result<Option<EncodedSubscribeResponse>, ChatError> {
        if self.session.is_expired(self.core.shared.clock.now_ms()) {
            // Another window may have extended the session.
            match self.core.session(&self.session.token, Requester::User(self.session.user.key)).await {
                Ok(session) => self.session = session,
                Err(ChatError::NoSession) => return Ok(Some(self.say_goodbye(pb::GoodbyeReason::SignedOut))),
                Err(error) => return Err(error),
            }
        }
        let interval = jittered(self.core.options.heartbeat_interval);
        // Resetting the timer for every frame would cost more than the frame.
        let quiet = self.last_sent.elapsed();
        let least = self.core.options.heartbeat_interval.mul_f64(1.0 - JITTER);
        let due = quiet >= least;
        let pause = if due { interval } else { interval.saturating_sub(quiet) };
        self.heartbeat.as_mut().reset(tokio::time::Instant::now() + pause);
        let frame = due.then(|| self.heartbeat_frame());
        // A gap in the tail shows by the numbers as soon as more events come. This finds it when none do.
        Box::pin(self.catch_up_to_tail()).await?;
        Ok(frame)
    }

    fn heartbeat_frame(&mut self) -> EncodedSubscribeResponse {
        let mut heads = Vec::new();
        for (index, position) in self.rooms.iter_mut().enumerate() {
            if position.last == position.announced_head {
                continue;
            }
            if let Some(room) = self.core.shared.directory.get(RoomKey::from_index(index)) {
                position.announced_head = position.last;
                let room_id = room.id.as_str().to_owned();
                heads.push(pb::Cursor { room_id, epoch: room.epoch, seq: position.last, fingerprint: 0 });
            }
        }
        encoding::frame(Frame::Heartbeat(pb::Heartbeat { now_ms: self.core.shared.clock.now_ms(), heads }))
    }
}
