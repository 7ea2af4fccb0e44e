//! Turns by messages outside of the stream.

use std::sync::Arc;

use async_nats::{Client, Subscriber};
use futures_util::StreamExt as _;
use tokio::task::JoinSet;

use super::super::cluster::ClusterError;
use super::super::turns;
use super::connect::failed;

/// Listens until it is dropped.
#[derive(Debug)]
pub(super) struct Turns {
    subject: String,
    known: Arc<turns::Turns>,
    _listening: JoinSet<()>,
}

impl Turns {
    pub(super) async fn listen(client: &Client, subject: String) -> Result<Self, ClusterError> {
        let known = Arc::new(turns::Turns::new(client.new_inbox()));
        let messages = client.subscribe(subject.clone()).await.map_err(failed)?;
        let mut listening = JoinSet::new();
        listening.spawn(listen(messages, known.clone()));
        Ok(Self { subject, known, _listening: listening })
    }

    pub(super) async fn tell(&self, client: &Client, wants: bool) {
        // Without a connection there is no race.
        client.publish(self.subject.clone(), self.known.message(wants)).await.ok();
    }

    /// Completes when no other server waits. `None`: none does now.
    pub(super) fn of_others(&self) -> Option<impl Future<Output = ()> + use<>> {
        self.known.of_others()
    }
}

async fn listen(mut messages: Subscriber, known: Arc<turns::Turns>) {
    while let Some(message) = messages.next().await {
        known.hear(&message.payload);
    }
}
