//! Following the stream: a consumer that sends its messages to this connection, and our own checks of what comes.
//!
//! The client's ordered consumer is not used: it makes itself anew behind a delay of its own, which grows to ten seconds and goes on
//! after the servers are back. Here every fault ends the following, and the caller begins it again.

use std::cmp::Ordering;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_nats::jetstream::consumer::push::Config;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::message::Message;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use async_nats::{Message as Received, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::super::cluster::ClientError;
use super::super::remote::{ANSWER_TIMEOUT, Connection as _, PAUSE};
use super::super::{LogError, Position, Record, unanswered};
use super::Connection;

/// Longest wait for a new consumer. The servers do not answer while they have no leader, and a request that reached none is lost.
const CREATE_TIMEOUT: Duration = Duration::from_secs(1);

/// Time without a consumer after which entries are fetched one by one.
const FETCH_AFTER: Duration = Duration::from_millis(250);

/// Pause of the fetching at the end of the log.
const FETCH_INTERVAL: Duration = Duration::from_millis(50);

/// Interval of the messages by which a consumer without entries says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Time without a message of the consumer after which it counts as gone.
const SILENCE: Duration = Duration::from_millis(2_500);

/// Time without an entry after which the servers are asked whether there is one: a consumer may be on a server that does not get
/// the entries itself.
const QUIET: Duration = Duration::from_secs(3);

/// Time after which a server removes a consumer whose messages nobody takes.
const ABANDONED: Duration = Duration::from_secs(10);

/// The header of a heartbeat by which a consumer that waits for an answer asks for it once more.
const STALLED: &str = "Nats-Consumer-Stalled";

/// The header of a heartbeat with the number of messages that the consumer has sent.
const LAST_DELIVERY: &str = "Nats-Last-Consumer";

/// The message that comes next.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// Its place in the log.
    position: Position,
    /// Its number among those that this consumer sends: 1, 2, 3, ...
    delivery: u64,
}

impl Connection {
    /// Sends the entries above `after`. Ends without an error when nobody takes them any more.
    pub(super) async fn deliver(
        &self,
        after: Position,
        entries: &Sender<Result<Record, LogError>>,
    ) -> Result<(), LogError> {
        timeout(ANSWER_TIMEOUT, self.check_beginning(after)).await.map_err(unanswered)??;
        let next = AtomicU64::new(after + 1);
        let (first, messages) = tokio::select! {
            consumer = self.consume(&next) => consumer,
            fetched = self.fetch(&next, entries) => return fetched,
        };
        self.receive(first, messages, next.into_inner(), entries).await
    }

    /// Sends the entries from `next` on of those that a consumer delivers from `first` on.
    async fn receive(
        &self,
        first: Position,
        mut messages: Subscriber,
        next: Position,
        entries: &Sender<Result<Record, LogError>>,
    ) -> Result<(), LogError> {
        let mut due = Due { position: first, delivery: 1 };
        let mut heard = Instant::now();
        let mut checked = heard;
        loop {
            let until = (heard + SILENCE).min(checked + QUIET);
            let Ok(message) = timeout_at(until, messages.next()).await else {
                if heard.elapsed() >= SILENCE {
                    return Err(unanswered("the consumer is silent"));
                }
                self.check_quiet(due.position).await?;
                checked = Instant::now();
                continue;
            };
            let Some(message) = message else { return Err(unanswered("the subscription has ended")) };
            heard = Instant::now();
            if message.status.is_some() {
                if let Some(subject) = check_status(&message, due)? {
                    self.context.client().publish(subject, Bytes::new()).await.map_err(unanswered)?;
                }
                continue;
            }
            let record = self.record(message, due)?;
            // The others were fetched.
            if record.position >= next && entries.send(Ok(record)).await.is_err() {
                return Ok(());
            }
            due = Due { position: due.position + 1, delivery: due.delivery + 1 };
            // Taking the entry may have lasted.
            (heard, checked) = (Instant::now(), Instant::now());
        }
    }

    /// The entry that comes next, or the fault.
    fn record(&self, message: Received, due: Due) -> Result<Record, LogError> {
        let message = Message { message, context: self.context.clone() };
        let info = message.info().map_err(unanswered)?;
        let (position, delivery) = (info.stream_sequence, info.consumer_sequence);
        check_place(Due { position, delivery }, due)?;
        self.known.seen.lock().record(position);
        self.known.hear();
        Ok(Record { position, entry: message.message.payload })
    }

    /// Checks that the stream has what is wanted next: a consumer would begin with the first entry that is left, and not say so, and
    /// would wait at the end of a stream that has lost entries.
    async fn check_beginning(&self, after: Position) -> Result<(), LogError> {
        self.known.seen.lock().record(after);
        let state = self.state().await?;
        if after + 1 < state.first_sequence {
            return Err(LogError::Trimmed { first: state.first_sequence });
        }
        Ok(())
    }

    /// Makes a consumer as soon as the servers do that. It begins with the entry `next` of that moment, which is returned.
    async fn consume(&self, next: &AtomicU64) -> (Position, Subscriber) {
        loop {
            let pause = Instant::now() + PAUSE;
            let first = next.load(Relaxed);
            match self.try_consume(first).await {
                Ok(messages) => return (first, messages),
                Err(error) => tracing::debug!(%error, "the servers make no consumer of the log"),
            }
            sleep_until(pause).await;
        }
    }

    async fn try_consume(&self, first: Position) -> Result<Subscriber, ClientError> {
        let client = self.context.client();
        let deliver_subject = client.new_inbox();
        let messages = client.subscribe(deliver_subject.clone()).await?;
        let config = Config {
            deliver_subject,
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: first },
            ack_policy: AckPolicy::None,
            max_deliver: 1,
            flow_control: true,
            idle_heartbeat: HEARTBEAT,
            inactive_threshold: ABANDONED,
            num_replicas: 1,
            memory_storage: true,
            ..Config::default()
        };
        let stream = self.context.get_stream_no_info(&self.stream).await?;
        timeout(CREATE_TIMEOUT, stream.create_consumer(config)).await??;
        Ok(messages)
    }

    /// Fetches entries one by one, and counts `next` on, while there is no consumer: for a consumer the servers need a leader of all of
    /// JetStream, which may be elected seconds after that of the stream, and this needs the latter alone. Ends without an error when
    /// nobody takes the entries any more.
    async fn fetch(
        &self,
        next: &AtomicU64,
        entries: &Sender<Result<Record, LogError>>,
    ) -> Result<(), LogError> {
        sleep(FETCH_AFTER).await;
        let stream = self.context.get_stream_no_info(&self.stream).await.map_err(unanswered)?;
        loop {
            let position = next.load(Relaxed);
            match stream.get_raw_message(position).await {
                Ok(message) if message.subject.as_str() != self.subject => {
                    return Err(LogError::Replaced { reason: "another one was made under its name" });
                }
                Ok(message) => {
                    self.known.seen.lock().record(position);
                    self.known.hear();
                    if entries.send(Ok(Record { position, entry: message.payload })).await.is_err() {
                        return Ok(());
                    }
                    next.store(position + 1, Relaxed);
                }
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                    sleep(FETCH_INTERVAL).await;
                }
                Err(error) => return Err(unanswered(error)),
            }
        }
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

/// Checks that the message that came is the one that is due.
fn check_place(came: Due, due: Due) -> Result<(), LogError> {
    if came.delivery != due.delivery {
        return Err(unanswered("an entry was lost on the way"));
    }
    match came.position.cmp(&due.position) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(LogError::Trimmed { first: came.position }),
        Ordering::Less => Err(unanswered("the consumer has begun elsewhere")),
    }
}

/// Judges a message of the consumer about itself. Returns the subject for an answer, without which the consumer sends nothing more:
/// it asks before it sends more than a connection can take, and in its next heartbeat again when the answer was lost.
fn check_status(message: &Received, due: Due) -> Result<Option<Subject>, LogError> {
    if message.status != Some(StatusCode::IDLE_HEARTBEAT) {
        return Err(unanswered("the consumer has ended"));
    }
    let header = |name: &str| Some(message.headers.as_ref()?.get(name)?.as_str().to_owned());
    if header(LAST_DELIVERY).and_then(|last| last.parse().ok()).is_some_and(|last: u64| due.delivery <= last)
    {
        return Err(unanswered("the last entries were lost on the way"));
    }
    Ok(message.reply.clone().or_else(|| header(STALLED).map(Subject::from)))
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;

    use super::*;

    const DUE: Due = Due { position: 70, delivery: 7 };

    fn heartbeat(headers: &[(&str, &str)], reply: Option<&str>) -> Received {
        let mut map = HeaderMap::new();
        headers.iter().for_each(|(name, value)| map.insert(*name, *value));
        Received {
            subject: "inbox".into(),
            reply: reply.map(Subject::from),
            payload: Bytes::new(),
            headers: Some(map),
            status: Some(StatusCode::IDLE_HEARTBEAT),
            description: None,
            length: 0,
        }
    }

    #[test]
    fn only_the_message_that_is_due_is_taken() {
        let came = |position, delivery| check_place(Due { position, delivery }, DUE);
        assert!(came(70, 7).is_ok());
        // Lost on the way, begun elsewhere, and no longer in the log.
        assert!(matches!(came(71, 8), Err(LogError::Unanswered(_))));
        assert!(matches!(came(69, 7), Err(LogError::Unanswered(_))));
        assert!(matches!(came(75, 7), Err(LogError::Trimmed { first: 75 })));
    }

    #[test]
    fn heartbeat_that_counts_more_entries_than_came_ends_the_following() {
        assert_eq!(check_status(&heartbeat(&[(LAST_DELIVERY, "6")], None), DUE).unwrap(), None);
        let lost = check_status(&heartbeat(&[(LAST_DELIVERY, "7")], None), DUE);
        assert!(matches!(lost, Err(LogError::Unanswered(_))), "{lost:?}");
        let ended = Received { status: Some(StatusCode::REQUEST_TERMINATED), ..heartbeat(&[], None) };
        assert!(matches!(check_status(&ended, DUE), Err(LogError::Unanswered(_))));
    }

    #[test]
    fn consumer_that_waits_for_an_answer_gets_it_also_when_it_asks_again() {
        let asked =
            |message: &Received| check_status(message, DUE).unwrap().map(|subject| subject.to_string());
        assert_eq!(asked(&heartbeat(&[], Some("a"))).as_deref(), Some("a"));
        let again = heartbeat(&[(LAST_DELIVERY, "6"), (STALLED, "b")], None);
        assert_eq!(asked(&again).as_deref(), Some("b"));
    }
}
