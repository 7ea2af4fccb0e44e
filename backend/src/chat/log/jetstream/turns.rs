//! The servers of the chat that want their turn: they tell the others by messages outside of the stream, which are lost when nobody
//! listens.

use std::sync::Arc;

use async_nats::{Client, Subscriber};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::super::TURN;
use super::connect::{ClusterError, failed};

/// Servers that are listened to; more than a chat has.
const MAX_SERVERS: usize = 64;

/// The first byte of a message, before the server's own mark.
const WANTS: u8 = b'+';
const HAD: u8 = b'-';

/// The marks of the servers that want their turn, and until when.
type Waiting = Vec<(Bytes, Instant)>;

/// Listens until it is dropped.
#[derive(Debug)]
pub(super) struct Turns {
    subject: String,
    /// The mark of this server.
    own: String,
    others: Arc<watch::Sender<Waiting>>,
    _listening: JoinSet<()>,
}

impl Turns {
    pub(super) async fn listen(client: &Client, subject: String) -> Result<Self, ClusterError> {
        let own = client.new_inbox();
        let others = Arc::<watch::Sender<Waiting>>::default();
        let messages = client.subscribe(subject.clone()).await.map_err(failed)?;
        let mut listening = JoinSet::new();
        listening.spawn(listen(messages, own.clone(), others.clone()));
        Ok(Self { subject, own, others, _listening: listening })
    }

    pub(super) async fn tell(&self, client: &Client, wants: bool) {
        let mut message = BytesMut::new();
        message.put_u8(if wants { WANTS } else { HAD });
        message.put_slice(self.own.as_bytes());
        // Without a connection there is no race.
        client.publish(self.subject.clone(), message.freeze()).await.ok();
    }

    /// Completes when no other server waits. `None`: none does now.
    pub(super) fn of_others(&self) -> Option<impl Future<Output = ()> + use<>> {
        end(&self.others.borrow())?;
        let mut others = self.others.subscribe();
        Some(async move {
            loop {
                let Some(end) = end(&others.borrow_and_update()) else { return };
                // At the end of the time, or of the listening, nobody waits.
                timeout_at(end, others.changed()).await.ok();
            }
        })
    }
}

/// The end of the time of the last one that waits.
fn end(waiting: &Waiting) -> Option<Instant> {
    waiting.iter().map(|(_, end)| *end).filter(|end| *end > Instant::now()).max()
}

async fn listen(mut messages: Subscriber, own: String, others: Arc<watch::Sender<Waiting>>) {
    while let Some(message) = messages.next().await {
        let Some((kind, mark)) = message.payload.split_first() else { continue };
        if *mark == *own.as_bytes() {
            continue;
        }
        let (wants, mark, now) = (*kind == WANTS, message.payload.slice(1..), Instant::now());
        others.send_modify(|waiting| {
            waiting.retain(|(other, end)| *other != mark && *end > now);
            if wants && waiting.len() < MAX_SERVERS {
                waiting.push((mark, now + TURN));
            }
        });
    }
}
