//! A call of the explorer: its messages in both directions, its metadata and its end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};
use grpc_inspect::frame::Direction;
use leptos::prelude::*;
use tokio::sync::mpsc::{Sender, channel};
use tonic::{Response, Status, Streaming};
use web_time::Instant;

use super::transcript::{Message, Transcript};
use crate::{
    calls::{Entry, entries},
    run::Run,
};

/// Messages that wait for the server to take them. One more is refused, and stays in the editor.
const MAX_UNSENT: usize = 100;

/// Interval at which messages are drawn together.
const DRAW_INTERVAL: Duration = Duration::from_millis(50);

/// Messages that are read before the browser gets a turn.
const MESSAGES_PER_TURN: u64 = 200;

/// The messages as they are drawn.
#[derive(Clone, Default)]
pub(super) struct Drawn {
    /// Those that are kept, oldest first.
    pub(super) messages: Vec<Arc<Message>>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) dropped: u64,
}

/// The call. All copies are the same.
#[derive(Clone, Copy)]
pub(super) struct Exchange {
    /// Whether it runs, and its end.
    pub(super) run: Run,
    /// The messages.
    pub(super) drawn: RwSignal<Drawn>,
    /// The metadata before the messages.
    pub(super) headers: RwSignal<Arc<[Entry]>>,
    /// The metadata behind them.
    pub(super) trailers: RwSignal<Arc<[Entry]>>,
    /// The status of a call that failed, with its details. A call that was cancelled here has none.
    pub(super) failure: RwSignal<Option<Status>>,
    /// Sends messages. `None` after the last one.
    requests: RwSignal<Option<Sender<Bytes>>>,
    transcript: StoredValue<Transcript>,
    started: StoredValue<Instant>,
    draw_is_due: StoredValue<bool>,
}

impl Exchange {
    pub(super) fn new() -> Exchange {
        Exchange {
            run: Run::new(),
            drawn: RwSignal::default(),
            headers: RwSignal::default(),
            trailers: RwSignal::default(),
            failure: RwSignal::new(None),
            requests: RwSignal::new(None),
            transcript: StoredValue::new(Transcript::default()),
            started: StoredValue::new(Instant::now()),
            draw_is_due: StoredValue::new(false),
        }
    }

    /// Whether it takes further messages.
    pub(super) fn takes_messages(self) -> bool {
        self.run.is_running() && self.requests.with(Option::is_some)
    }

    /// Cancels the call, and forgets it.
    pub(super) fn clear(self) {
        self.run.cancel();
        self.run.forget();
        self.empty();
    }

    /// Begins a call: the stream of its messages.
    pub(super) fn open(self) -> impl Stream<Item = Bytes> + Send + use<> {
        let (sender, receiver) = channel(MAX_UNSENT);
        self.empty();
        self.started.set_value(Instant::now());
        self.requests.set(Some(sender));
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)))
    }

    /// Sends a message. `false` when the call has ended, or the server takes no more.
    pub(super) fn send(self, message: Bytes) -> bool {
        let is_sent = self.requests.with_untracked(|requests| {
            requests.as_ref().is_some_and(|requests| requests.try_send(message.clone()).is_ok())
        });
        if is_sent {
            self.note(Direction::Sent, message);
        }
        is_sent
    }

    /// Says that no message follows.
    pub(super) fn finish(self) {
        self.requests.set(None);
    }

    /// Reads the response to its end. A failure is kept with its details.
    pub(super) async fn follow(
        self,
        response: impl Future<Output = Result<Response<Streaming<Bytes>>, Status>>,
    ) -> Result<(), Status> {
        let result = self.read(response).await;
        self.requests.try_set(None);
        if let Err(status) = &result {
            let trailers = status.metadata().clone().into_headers();
            self.trailers.try_set(entries(&trailers));
            self.failure.try_set(Some(status.clone()));
        }
        result
    }

    async fn read(
        self,
        response: impl Future<Output = Result<Response<Streaming<Bytes>>, Status>>,
    ) -> Result<(), Status> {
        let response = response.await?;
        self.run.carried_by(&response);
        let (metadata, mut messages, _) = response.into_parts();
        self.headers.try_set(entries(&metadata.into_headers()));
        while let Some(message) = messages.message().await? {
            if self.note(Direction::Received, message).is_multiple_of(MESSAGES_PER_TURN) {
                // The browser has to draw and to handle clicks meanwhile.
                tonic_web_channel::rt::sleep(Duration::ZERO).await;
            }
        }
        if let Some(trailers) = messages.trailers().await? {
            self.trailers.try_set(entries(&trailers.into_headers()));
        }
        Ok(())
    }

    fn empty(self) {
        self.transcript.set_value(Transcript::default());
        self.drawn.set(Drawn::default());
        self.headers.set(Arc::default());
        self.trailers.set(Arc::default());
        self.failure.set(None);
        self.requests.set(None);
    }

    /// Adds a message. Returns the number of all in its direction.
    fn note(self, direction: Direction, message: Bytes) -> u64 {
        let elapsed = self.started.try_get_value().map_or(Duration::ZERO, |started| started.elapsed());
        let count = self
            .transcript
            .try_update_value(|transcript| transcript.push(direction, elapsed, message))
            .unwrap_or_default();
        if self.draw_is_due.try_get_value() == Some(false) {
            self.draw_is_due.set_value(true);
            set_timeout(move || self.draw(), DRAW_INTERVAL);
        }
        count
    }

    /// Does nothing when the page is gone.
    fn draw(self) {
        let drawn = self.transcript.try_with_value(|transcript| Drawn {
            messages: transcript.messages().cloned().collect(),
            sent: transcript.sent(),
            received: transcript.received(),
            dropped: transcript.dropped(),
        });
        if let Some(drawn) = drawn {
            self.draw_is_due.set_value(false);
            self.drawn.set(drawn);
        }
    }
}
