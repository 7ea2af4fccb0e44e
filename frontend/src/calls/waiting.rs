//! Events of calls that wait for the code that lists them. Knows no browser and no signals.

use std::{collections::VecDeque, mem::take};

use tonic_web_channel::observe::{CallEvent, CallEventKind};

/// Largest number of events. One more drops the oldest message, so that calls stay listed, and with fewer messages than they had; without
/// messages it drops the oldest event.
const MAX_EVENTS: usize = 4_096;

/// Largest number of bytes of all messages together. A message that would exceed it is kept as one whose bytes were not captured.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Events of calls, oldest first.
#[derive(Debug, Default)]
pub(super) struct WaitingEvents {
    events: VecDeque<CallEvent>,
    bytes: usize,
}

impl WaitingEvents {
    /// Adds an event.
    pub(super) fn push(&mut self, mut event: CallEvent) {
        if let Some(content) = content(&mut event.kind) {
            match self.bytes + content.len() {
                bytes if bytes > MAX_BYTES => drop(take(content)),
                bytes => self.bytes = bytes,
            }
        }
        if self.events.len() == MAX_EVENTS {
            let message = self.events.iter_mut().position(|event| content(&mut event.kind).is_some());
            if let Some(mut dropped) = self.events.remove(message.unwrap_or(0)) {
                self.bytes -= content(&mut dropped.kind).map_or(0, |content| content.len());
            }
        }
        self.events.push_back(event);
    }
}

impl IntoIterator for WaitingEvents {
    type Item = CallEvent;
    type IntoIter = std::collections::vec_deque::IntoIter<CallEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.into_iter()
    }
}

/// The captured bytes of a message.
fn content(kind: &mut CallEventKind) -> Option<&mut bytes::Bytes> {
    match kind {
        CallEventKind::MessageSent { content, .. } | CallEventKind::MessageReceived { content, .. } => {
            Some(content)
        }
        _ => None,
    }
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests {
    use std::{
        convert::Infallible,
        future::{Pending, pending},
        sync::{Arc, Mutex},
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use futures_util::FutureExt as _;
    use http::{Request, Response};
    use tonic::{body::Body, codegen::Service};
    use tonic_web_channel::{Channel, InProcess};

    use super::*;

    /// A service that never answers.
    #[derive(Clone)]
    struct Silent;

    impl Service<Request<Body>> for Silent {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = Pending<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            pending()
        }
    }

    /// The first event of a call. Only a channel makes events.
    fn started() -> CallEvent {
        let first = Arc::new(Mutex::new(None));
        let observed = first.clone();
        let builder = Channel::builder("http://in.process").transport(InProcess::new(Silent));
        let builder = builder.observer(move |event: &CallEvent| {
            observed.lock().unwrap().get_or_insert_with(|| event.clone());
        });
        let request = Request::post("/a.B/C").header("content-type", "application/grpc");
        let call = builder.build().unwrap().call(request.body(Body::empty()).unwrap());
        assert!(call.now_or_never().is_none());
        first.lock().unwrap().take().unwrap()
    }

    fn received(content: Bytes) -> CallEvent {
        let kind = CallEventKind::MessageReceived { bytes: content.len(), flags: 0, content };
        let mut event = started();
        event.kind = kind;
        event
    }

    fn length(event: &CallEvent) -> Option<usize> {
        match &event.kind {
            CallEventKind::MessageReceived { content, .. } => Some(content.len()),
            _ => None,
        }
    }

    #[tokio::test]
    async fn messages_beyond_the_limit_lose_their_bytes() {
        let mut events = WaitingEvents::default();
        events.push(started());
        let message = received(vec![7; MAX_BYTES / 2].into());
        for _ in 0..3 {
            events.push(message.clone());
        }
        let lengths: Vec<_> = events.into_iter().map(|event| length(&event)).collect();
        assert_eq!(lengths, [None, Some(MAX_BYTES / 2), Some(MAX_BYTES / 2), Some(0)]);
    }

    #[tokio::test]
    async fn a_call_stays_when_its_oldest_messages_are_dropped() {
        let mut events = WaitingEvents::default();
        events.push(started());
        let [first, second] = [1, 2].map(|length| received(vec![7; length].into()));
        events.push(first);
        for _ in 0..MAX_EVENTS {
            events.push(second.clone());
        }
        assert_eq!(events.bytes, 2 * (MAX_EVENTS - 1));
        let lengths: Vec<_> = events.into_iter().map(|event| length(&event)).collect();
        assert_eq!((lengths.len(), lengths[0]), (MAX_EVENTS, None));
        assert!(lengths[1..].iter().all(|length| *length == Some(2)), "the first message is dropped");
    }
}
