//! Readers: one stream of all rooms, resumed by cursors whenever it ends, and checked event by event.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use proto::chat::v1::subscribe_response::Frame;
use proto::chat::v1::{self as pb};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Status, Streaming};

use crate::check::{Written, written};
use crate::person::Person;
use crate::room::Room;
use crate::shared::Shared;

/// Longest time without an event, while the senders send.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time after which a reader cancels its stream and resumes, milliseconds.
const STAY_MS: std::ops::Range<u64> = 500..8_000;
/// Longest pause before a new subscription, milliseconds.
const RETRY_MS: u64 = 100;
/// Longest wait after a goodbye. The server's own wait spreads thousands of clients over seconds.
const MAX_GOODBYE_WAIT: Duration = Duration::from_millis(500);

/// All events of one room that a reader has received.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    pub(crate) room: Room,
    pub(crate) events: Vec<Written>,
    /// The last acknowledged read marker.
    read: u64,
    /// The newest event with a known fingerprint, and that fingerprint.
    fingerprint: (u64, u64),
}

/// A guest who reads.
#[derive(Debug)]
pub(crate) struct Reader {
    index: u32,
    person: Person,
    rooms: Vec<Followed>,
    rng: Rng,
    shared: Arc<Shared>,
    /// Number of received events.
    progress: Arc<AtomicU64>,
}

impl Reader {
    pub(crate) fn new(
        index: u32,
        person: Person,
        rooms: &[Room],
        rng: Rng,
        shared: Arc<Shared>,
        progress: Arc<AtomicU64>,
    ) -> Self {
        let followed =
            |room: &Room| Followed { room: room.clone(), events: Vec::new(), read: 0, fingerprint: (0, 0) };
        let rooms = rooms.iter().map(followed).collect();
        Self { index, person, rooms, rng, shared, progress }
    }

    /// Reads until `done`.
    pub(crate) async fn run(mut self, mut done: watch::Receiver<bool>) -> Vec<Followed> {
        while !*done.borrow() {
            let moment = self.shared.disturbance.now();
            match self.person.subscribe(self.cursors()).await {
                Ok(frames) => {
                    self.shared.subscriptions.fetch_add(1, Ordering::Relaxed);
                    self.follow(frames, &mut done).await;
                    self.mark_read().await;
                }
                Err(status) => self.shared.call_failed("Subscribe", moment, &status),
            }
            sleep(Duration::from_millis(self.rng.u64(1..RETRY_MS))).await;
        }
        self.rooms
    }

    /// Marks one room as read. An acknowledged marker must not move back.
    async fn mark_read(&mut self) {
        let Some(followed) = self.rng.choice(&mut self.rooms) else { return };
        let seq = followed.events.len() as u64;
        let moment = self.shared.disturbance.now();
        match self.person.mark_read(&followed.room.id, seq).await {
            Ok(read) if read >= seq => followed.read = read,
            Ok(read) => self.shared.fail(format_args!("MarkRead of {seq} returned {read}")),
            Err(status) => self.shared.call_failed("MarkRead", moment, &status),
        }
    }

    fn cursors(&self) -> Vec<pb::Cursor> {
        let cursor = |followed: &Followed| {
            let seq = followed.events.len() as u64;
            let (of, fingerprint) = followed.fingerprint;
            pb::Cursor {
                room_id: followed.room.id.clone(),
                epoch: followed.room.epoch,
                seq,
                fingerprint: if of == seq { fingerprint } else { 0 },
            }
        };
        self.rooms.iter().map(cursor).collect()
    }

    /// Reads frames until the stream ends, is idle for too long, or the reader cancels it.
    async fn follow(
        &mut self,
        mut frames: Streaming<pb::SubscribeResponse>,
        done: &mut watch::Receiver<bool>,
    ) {
        let opened = Instant::now();
        let leave = opened + Duration::from_millis(self.rng.u64(STAY_MS));
        loop {
            let (moment, silent) = (self.shared.disturbance.now(), Instant::now() + IDLE_TIMEOUT);
            let acknowledged = self.shared.acknowledged.load(Ordering::Relaxed);
            let next = tokio::select! {
                next = timeout_at(leave.min(silent), frames.message()) => next,
                // An error means that the run has ended.
                _ = done.wait_for(|done| *done) => return,
            };
            let status = match next {
                Ok(Ok(Some(response))) => {
                    if let Some(Frame::Goodbye(goodbye)) = response.frame {
                        let after = Duration::from_millis(goodbye.reconnect_after_ms.into());
                        return sleep(after.min(MAX_GOODBYE_WAIT)).await;
                    }
                    self.take(response.frame);
                    continue;
                }
                Ok(Ok(None)) => return,
                Ok(Err(status)) => status,
                Err(_) => {
                    let missed = self.shared.acknowledged.load(Ordering::Relaxed) - acknowledged;
                    if missed == 0 || Instant::now() < silent || !self.shared.is_sending() {
                        return;
                    }
                    let what = format!(
                        "nothing came for {IDLE_TIMEOUT:?} while {missed} messages were acknowledged"
                    );
                    Status::deadline_exceeded(what)
                }
            };
            let what = format!("Subscribe of reader {}, open for {:.1?},", self.index, opened.elapsed());
            return self.shared.call_failed(&what, moment, &status);
        }
    }

    fn take(&mut self, frame: Option<Frame>) {
        match frame {
            Some(Frame::RoomState(state)) => self.check_recovery(&state),
            Some(Frame::Events(events)) => {
                self.progress.fetch_add(events.events.len() as u64, Ordering::SeqCst);
                events.events.iter().for_each(|event| self.take_event(event));
                self.note_fingerprint(&events);
            }
            _ => {}
        }
    }

    fn check_recovery(&self, state: &pb::RoomState) {
        let room_id = state.room.as_ref().map(|room| room.id.as_str()).unwrap_or_default();
        let Some(followed) = self.rooms.iter().find(|followed| followed.room.id == room_id) else { return };
        if state.recovery() != pb::Recovery::Full || state.epoch != followed.room.epoch {
            self.shared.fail(format_args!(
                "the cursor of reader {} in room {} at {} led to {:?} ({:?})",
                self.index,
                followed.room.index,
                followed.events.len(),
                state.recovery(),
                state.lost_reason()
            ));
        }
        // A marker is a person's own number, which another server may learn a moment later; clients never go back.
        if state.read_seq < followed.read && !self.shared.has_several_servers {
            self.shared.fail(format_args!(
                "the read marker of reader {} in room {} was acknowledged at {} and is at {}",
                self.index, followed.room.index, followed.read, state.read_seq
            ));
        }
    }

    /// The fingerprint of a frame is that of its last event.
    fn note_fingerprint(&mut self, events: &pb::Events) {
        let Some(last) = events.events.last() else { return };
        if let Some(followed) = self.rooms.iter_mut().find(|followed| followed.room.id == last.room_id) {
            followed.fingerprint = (last.seq, events.fingerprint);
        }
    }

    fn take_event(&mut self, event: &pb::Event) {
        let Some(followed) = self.rooms.iter_mut().find(|followed| followed.room.id == event.room_id) else {
            return self
                .shared
                .fail(format_args!("reader {} was sent an event of an unknown room", self.index));
        };
        let expected = followed.events.len() as u64 + 1;
        if event.seq != expected {
            self.shared.fail(format_args!(
                "reader {} was sent event {} of room {} where {expected} was due",
                self.index, event.seq, followed.room.index
            ));
        }
        followed.events.push(written(event));
    }
}
