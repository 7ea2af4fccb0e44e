//! Following the stream: an ordered consumer, which begins again by itself after it has lost something, and our own checks of what
//! it delivers.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::{LogError, Position, Record};
use super::{ANSWER_TIMEOUT, Connection, PAUSE, unanswered};

/// Time without an entry after which the servers are asked whether there is one. The consumer has heartbeats of its own; this is for
/// the case that it is wrong.
const QUIET: Duration = Duration::from_secs(10);

impl Connection {
    /// Sends the entries above `after` until nobody takes them any more, or the log cannot be followed.
    pub(super) async fn follow(
        self: Arc<Self>,
        after: Position,
        entries: mpsc::Sender<Result<Record, LogError>>,
    ) {
        let pause = Instant::now() + PAUSE;
        let followed = tokio::select! {
            () = entries.closed() => return,
            followed = self.read(after, &entries) => followed,
        };
        if let Err(error) = followed {
            if let LogError::Unanswered(_) = error {
                sleep_until(pause).await;
            }
            // It may have lost its interest meanwhile.
            entries.send(Err(error)).await.ok();
        }
    }

    /// Ends without an error when nobody takes the entries any more.
    async fn read(
        &self,
        after: Position,
        entries: &mpsc::Sender<Result<Record, LogError>>,
    ) -> Result<(), LogError> {
        let mut messages = timeout(2 * ANSWER_TIMEOUT, self.begin(after)).await.map_err(unanswered)??;
        let mut next = after + 1;
        loop {
            let Ok(message) = timeout(QUIET, messages.next()).await else {
                self.check_quiet(next).await?;
                continue;
            };
            let Some(message) = message else { return Err(unanswered("the consumer has ended")) };
            let message = message.map_err(unanswered)?;
            let position = message.info().map_err(unanswered)?.stream_sequence;
            match position.cmp(&next) {
                Ordering::Equal => {}
                Ordering::Greater => return Err(LogError::Trimmed { first: position }),
                // One that is made again before it has delivered anything begins with the first entry.
                Ordering::Less => return Err(unanswered("the consumer has begun elsewhere")),
            }
            self.seen.lock().record(position);
            if entries.send(Ok(Record { position, entry: message.payload.clone() })).await.is_err() {
                return Ok(());
            }
            next += 1;
        }
    }

    /// Checks that the stream has what is wanted next, and makes the consumer: it would begin with the first entry that is left, and
    /// not say so, and would wait at the end of a stream that has lost entries.
    async fn begin(&self, after: Position) -> Result<Ordered, LogError> {
        self.seen.lock().record(after);
        let state = self.info().await?.state;
        self.seen.lock().judge(state.last_sequence)?;
        if after + 1 < state.first_sequence {
            return Err(LogError::Trimmed { first: state.first_sequence });
        }
        let config = OrderedConfig {
            deliver_subject: self.context.client().new_inbox(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            ..OrderedConfig::default()
        };
        let stream = self.context.get_stream_no_info(&self.stream).await.map_err(unanswered)?;
        let consumer = stream.create_consumer(config).await.map_err(unanswered)?;
        consumer.messages().await.map_err(unanswered)
    }

    /// Fails when the stream has an entry that should have come. While it cannot be asked, waiting is right.
    async fn check_quiet(&self, next: Position) -> Result<(), LogError> {
        match timeout(ANSWER_TIMEOUT, self.end()).await {
            Ok(Ok(end)) if end >= next => Err(unanswered("the consumer does not deliver")),
            Ok(Err(error @ LogError::Replaced { .. })) => Err(error),
            _ => Ok(()),
        }
    }
}
