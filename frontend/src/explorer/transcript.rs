//! The messages of a call, within limits. Knows no document.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use grpc_inspect::frame::Direction;

/// Messages that are kept. One more drops the oldest.
pub(super) const MAX_MESSAGES: usize = 200;

/// Bytes of messages that are kept. More drop the oldest ones, but never the newest.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// A message of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Position among the messages of its direction, from 1.
    pub(super) number: u64,
    /// The direction.
    pub(super) direction: Direction,
    /// Time since the call started.
    pub(super) elapsed: Duration,
    /// The message without its prefix.
    pub(super) bytes: Bytes,
}

/// The newest messages of a call in both directions, and the number of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    sent: u64,
    received: u64,
}

impl Transcript {
    /// The messages that are kept, oldest first.
    pub(super) fn messages(&self) -> impl DoubleEndedIterator<Item = &Arc<Message>> {
        self.messages.iter()
    }

    /// Messages that were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Messages that came.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The number of messages that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.sent + self.received - self.messages.len() as u64
    }

    /// Adds a message. Returns the number of all in its direction.
    pub(super) fn push(&mut self, direction: Direction, elapsed: Duration, bytes: Bytes) -> u64 {
        let count = match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        };
        *count += 1;
        let number = *count;
        self.bytes += bytes.len();
        self.messages.push_back(Arc::new(Message { number, direction, elapsed, bytes }));
        while self.messages.len() > 1 && (self.messages.len() > MAX_MESSAGES || self.bytes > MAX_BYTES) {
            if let Some(oldest) = self.messages.pop_front() {
                self.bytes -= oldest.bytes.len();
            }
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_messages_are_kept_and_all_are_counted() {
        let mut transcript = Transcript::default();
        transcript.push(Direction::Sent, Duration::ZERO, Bytes::from_static(b"x"));
        for _ in 0..1_000 {
            transcript.push(Direction::Received, Duration::ZERO, Bytes::from_static(b"y"));
        }
        assert_eq!((transcript.sent(), transcript.received()), (1, 1_000));
        assert_eq!(transcript.messages().count(), MAX_MESSAGES);
        assert_eq!(transcript.dropped(), 801);
        assert_eq!(transcript.messages().next_back().unwrap().number, 1_000);
    }

    #[test]
    fn long_messages_drop_others_and_stay_themselves() {
        let mut transcript = Transcript::default();
        let long = Bytes::from(vec![0; MAX_BYTES]);
        transcript.push(Direction::Received, Duration::ZERO, long.clone());
        transcript.push(Direction::Received, Duration::ZERO, long.slice(..1));
        assert_eq!(transcript.messages().count(), 1);
        transcript.push(Direction::Received, Duration::ZERO, vec![0; MAX_BYTES + 1].into());
        assert_eq!(
            transcript.messages().map(|message| message.bytes.len()).collect::<Vec<_>>(),
            [MAX_BYTES + 1]
        );
    }
}
