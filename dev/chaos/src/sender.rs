//! Senders: one message after the other, each repeated with the same operation id until it is acknowledged.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fastrand::Rng;
use proto::chat::v1 as pb;
use tokio::time::sleep;

use crate::check::{Sent, operation_id, text};
use crate::person::Person;
use crate::room::Room;
use crate::shared::Shared;

/// The first and the longest pause before a message is sent again.
const FIRST_RETRY: Duration = Duration::from_millis(10);
const LAST_RETRY: Duration = Duration::from_millis(160);
/// One in so many acknowledged messages is sent again.
const REPEAT_ONE_IN: u32 = 64;

/// A guest who sends to one room.
#[derive(Debug)]
pub(crate) struct Sender {
    index: u32,
    person: Person,
    room: Room,
    rng: Rng,
    shared: Arc<Shared>,
    sent: Sent,
    /// Latencies of acknowledgements outside of faults, microseconds.
    calm_us: Vec<u32>,
}

/// A sender's result.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) sent: Sent,
    pub(crate) calm_us: Vec<u32>,
}

impl Sender {
    /// The sender with this index, who writes to `room`.
    pub(crate) fn new(index: u32, person: Person, room: Room, rng: Rng, shared: Arc<Shared>) -> Self {
        let sent = Sent {
            user_id: person.user_id.clone(),
            room: room.index,
            acknowledged: Vec::new(),
            attempted: 0,
        };
        Self { index, person, room, rng, shared, sent, calm_us: Vec::new() }
    }

    /// Sends until [`Shared::stop_sending`].
    pub(crate) async fn run(mut self) -> Record {
        while self.shared.is_sending() {
            self.send().await;
        }
        self.record()
    }

    pub(crate) fn record(self) -> Record {
        Record { sent: self.sent, calm_us: self.calm_us }
    }

    /// Sends the next message until it is acknowledged.
    pub(crate) async fn send(&mut self) {
        let number = self.sent.acknowledged.len() as u64;
        self.sent.attempted = number + 1;
        let (begun, moment) = (Instant::now(), self.shared.disturbance.now());
        let answer = self.acknowledged(number).await;
        if self.shared.disturbance.calm_since(moment) {
            self.calm_us.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        self.sent.acknowledged.push(answer.seq);
        self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.shared.repeated.fetch_add(answer.duplicate.into(), Ordering::Relaxed);
        if answer.epoch != self.room.epoch {
            self.shared
                .fail(format_args!("message {number} of sender {} came into another epoch", self.index));
        }
        if self.rng.u32(..REPEAT_ONE_IN) == 0 {
            let again = self.acknowledged(number).await;
            if (again.seq, again.duplicate) != (answer.seq, true) {
                self.shared.fail(format_args!(
                    "message {number} of sender {} was acknowledged as {}, and when it was repeated as {}",
                    self.index, answer.seq, again.seq
                ));
            }
        }
    }

    async fn acknowledged(&mut self, number: u64) -> pb::SendMessageResponse {
        let text = text(self.index, number);
        let mut pause = FIRST_RETRY;
        loop {
            let moment = self.shared.disturbance.now();
            let operation_id = operation_id(self.index, number);
            match self.person.send(&self.room.id, operation_id, &text).await {
                Ok(answer) => return answer,
                Err(status) => self.shared.call_failed("SendMessage", moment, &status),
            }
            sleep(pause.mul_f64(0.5 + self.rng.f64())).await;
            pause = (pause * 2).min(LAST_RETRY);
        }
    }
}
