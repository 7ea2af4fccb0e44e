//! The log as a stream of NATS JetStream: the numbers of the stream are the positions.
//!
//! The condition of an append is the stream-wide `Nats-Expected-Last-Sequence`, which is a part of what the servers agree on. The
//! subject of the entries has the log's id in it, so an append for one log can never be stored in another one under the same name.
//! Knows no entry's content.

mod connect;
mod follow;
mod manage;
mod snapshots;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State as ConnectionState;
use async_nats::header::NATS_EXPECTED_LAST_SEQUENCE;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{Info, State};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{HeaderMap, HeaderValue, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::cluster::ClusterError;
use super::remote::{self, ANSWER_TIMEOUT, Known, Remote, UNHEARD};
use super::seen::Seen;
use super::turns::Turns;
use super::{Appended, LogError, Position, Record, unanswered};

pub use self::connect::Servers;
pub use self::manage::{init, replace, save_newest, status};

/// Time after which a question that was not answered is asked again. While a stream has no leader, nobody answers, and the next leader
/// does not know the questions before.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// The log of a cluster. Clones are handles to the same connection.
pub(in crate::chat) type JetStream = Remote<Connection>;

/// The connection to the servers, and what is known of the stream.
pub(in crate::chat) struct Connection {
    context: Context,
    stream: String,
    subject: String,
    bucket: String,
    known: Known,
    turns_subject: String,
    /// Hears the messages about turns.
    _listening: JoinSet<()>,
}

impl JetStream {
    /// Connects, and opens the log that [`init`] has made. Needs a runtime, which has to live as long as the log is used.
    pub(in crate::chat) async fn open(servers: &Servers) -> Result<Self, ClusterError> {
        let context = servers.connect().await?;
        let (id, info) = servers.find(&context).await?;
        let client = context.client();
        let (turns, turns_subject) = (Arc::new(Turns::new(client.new_inbox())), servers.turns(id));
        let messages = client.subscribe(turns_subject.clone()).await.map_err(connect::failed)?;
        let mut listening = JoinSet::new();
        listening.spawn(listen(messages, turns.clone()));
        Ok(Self::new(Connection {
            context,
            stream: servers.stream(),
            subject: servers.subject(id),
            bucket: servers.bucket(),
            known: Known::new(id, Seen::new(info.state.last_sequence), turns),
            turns_subject,
            _listening: listening,
        }))
    }
}

impl remote::Connection for Connection {
    /// A leader that was deposed answers until it has noticed, up to ten seconds later, and a new one before it has applied what was
    /// stored before it. No question of JetStream is put to the other servers, too.
    const END_MAY_BE_OLD: bool = true;

    fn known(&self) -> &Known {
        &self.known
    }

    async fn append(&self, after: Position, entry: Bytes) -> Result<Appended, LogError> {
        // An answer is lost with the server that would have given it. Of several attempts the condition lets one be stored.
        match ask(|| self.publish(after, entry.clone())).await? {
            Ok(answer) if answer.sequence == after + 1 => {
                self.known.seen.lock().record(answer.sequence);
                Ok(Appended::Stored)
            }
            Ok(_) => {
                Err(LogError::Replaced { reason: "it has stored an entry elsewhere than it was told to" })
            }
            Err(error) if is_conflict(&error) => Ok(Appended::Conflict),
            Err(error) => {
                if error.kind() == PublishErrorKind::StreamNotFound {
                    // Nobody takes entries of this log: it has no leader now, or it is another one.
                    self.info().await?;
                }
                Err(unanswered(error))
            }
        }
    }

    async fn read(
        &self,
        after: Position,
        entries: &Sender<Result<Record, LogError>>,
    ) -> Result<(), LogError> {
        self.deliver(after, entries).await
    }

    async fn end(&self) -> Result<Position, LogError> {
        Ok(self.state().await?.last_sequence)
    }

    async fn put_snapshot(&self, position: Position, database: &Path) -> Result<(), LogError> {
        self.snapshots().await?.put(position, database).await
    }

    async fn newest_snapshot(&self, into: &Path) -> Result<Option<Position>, LogError> {
        self.snapshots().await?.newest(into).await
    }

    async fn trim(&self, up_to: Position) -> Result<(), LogError> {
        let state = self.info().await?.state;
        // Beyond its end a stream would skip numbers.
        let up_to = up_to.min(state.last_sequence);
        if up_to < state.first_sequence {
            return Ok(());
        }
        let stream = self.context.get_stream_no_info(&self.stream).await.map_err(unanswered)?;
        stream.purge().sequence(up_to + 1).await.map_err(unanswered)?;
        Ok(())
    }

    async fn tell(&self, message: Bytes) {
        // Without a connection there is no race.
        if self.check_connected().is_ok() {
            self.context.client().publish(self.turns_subject.clone(), message).await.ok();
        }
    }

    /// Connects to another server, or to the same one again: the one that it has may be cut off from the others.
    async fn miss(&self) {
        let is_unheard = {
            let mut heard = self.known.heard.lock();
            let is_unheard = heard.elapsed() >= UNHEARD;
            // A new connection has as long.
            if is_unheard || self.check_connected().is_err() {
                *heard = Instant::now();
            }
            is_unheard
        };
        if is_unheard && self.check_connected().is_ok() {
            tracing::warn!("the cluster's server gives no answer about the log; changing to any of them");
            // It takes a place in the client's queue, and is tried again after as long.
            timeout(ANSWER_TIMEOUT, self.context.client().force_reconnect()).await.ok();
        }
    }
}

impl Connection {
    /// The client keeps commands while it has no connection, and sends them later, so nothing is given to it then.
    fn check_connected(&self) -> Result<(), LogError> {
        match self.context.client().connection_state() {
            ConnectionState::Connected => Ok(()),
            ConnectionState::Pending | ConnectionState::Disconnected => {
                Err(unanswered("there is no connection"))
            }
        }
    }

    async fn publish(
        &self,
        after: Position,
        entry: Bytes,
    ) -> Result<Result<PublishAck, PublishError>, LogError> {
        self.check_connected()?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, HeaderValue::from(after));
        Ok(match self.context.publish_with_headers(self.subject.clone(), headers, entry).await {
            Ok(acknowledged) => acknowledged.await,
            Err(error) => Err(error),
        })
    }

    /// The stream's state as the servers say it, judged by what was seen.
    async fn state(&self) -> Result<State, LogError> {
        let expected = self.known.seen.lock().end();
        let state = self.info().await?.state;
        self.known.seen.lock().judge(expected, state.last_sequence)?;
        Ok(state)
    }

    /// The stream, if it still is this log.
    async fn info(&self) -> Result<Info, LogError> {
        self.check_connected()?;
        let stream = ask(|| self.context.get_stream(&self.stream)).await.map_err(unanswered)?;
        let info = stream.cached_info().clone();
        if connect::log_id(&info) != Some(self.known.id) {
            return Err(LogError::Replaced { reason: "another one was made under its name" });
        }
        Ok(info)
    }
}

async fn listen(mut messages: Subscriber, turns: Arc<Turns>) {
    while let Some(message) = messages.next().await {
        turns.hear(&message.payload);
    }
}

/// The first answer to a question that may be asked twice, and is asked again until there is one. The caller has the timer.
async fn ask<F: Future>(question: impl Fn() -> F) -> F::Output {
    let mut asked = FuturesUnordered::new();
    loop {
        asked.push(question());
        if let Ok(Some(answer)) = timeout(ASK_AGAIN, asked.next()).await {
            return answer;
        }
    }
}

/// Whether the log ends elsewhere. The client has a kind for one of the two refusals; the second one is made while another append
/// with the same condition is on its way.
fn is_conflict(error: &PublishError) -> bool {
    if error.kind() == PublishErrorKind::WrongLastSequence {
        return true;
    }
    let refusal = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
    refusal.is_some_and(|refusal| refusal.error_code() == ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn question_is_asked_again_until_one_is_answered() {
        let asked = std::cell::Cell::new(0);
        // The third one gets an answer, and then the first one would.
        let answer = ask(|| {
            asked.set(asked.get() + 1);
            let (number, late) = (asked.get(), if asked.get() == 3 { 100 } else { 5_000 });
            async move {
                tokio::time::sleep(Duration::from_millis(late)).await;
                number
            }
        });
        assert_eq!(answer.await, 3);
        assert_eq!(asked.get(), 3);
    }

    #[test]
    fn both_refusals_of_an_append_are_conflicts() {
        let refused = |code: u64| {
            let json =
                format!(r#"{{"code": 400, "err_code": {code}, "description": "wrong last sequence"}}"#);
            let error: async_nats::jetstream::Error = serde_json::from_str(&json).unwrap();
            PublishError::with_source(PublishErrorKind::Other, error)
        };
        assert!(is_conflict(&PublishError::new(PublishErrorKind::WrongLastSequence)));
        assert!(is_conflict(&refused(10_164)));
        assert!(!is_conflict(&refused(10_077)));
        assert!(!is_conflict(&PublishError::new(PublishErrorKind::TimedOut)));
    }
}
