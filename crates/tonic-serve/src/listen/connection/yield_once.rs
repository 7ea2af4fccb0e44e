//! Lets a connection run after the tasks of its streams, so that one write carries what all of them have to send.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Yields once before each poll of a future.
///
/// A stream that has something to send wakes its connection, and tokio would run the connection next: one write to the socket
/// per frame. After a yield, the other tasks that are ready run first.
#[derive(Debug, Default)]
pub(super) struct YieldOnce {
    yielded: bool,
}

impl YieldOnce {
    pub(super) fn poll<F: Future>(&mut self, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.yielded = !self.yielded;
        if self.yielded {
            // A task that wakes itself while it runs is queued behind the others.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        future.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::Waker;

    use super::*;

    /// Writes of a connection when a hundred streams have something to send at once.
    async fn writes(mut turn: Option<YieldOnce>) -> usize {
        const STREAMS: usize = 100;
        let (waiting, connection) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None::<Waker>)));
        let streams: Vec<_> = (0..STREAMS)
            .map(|_| {
                let (waiting, connection) = (Arc::clone(&waiting), Arc::clone(&connection));
                async move {
                    waiting.fetch_add(1, Ordering::Relaxed);
                    if let Some(waker) = &*connection.lock().unwrap() {
                        waker.wake_by_ref();
                    }
                }
            })
            .collect();
        let (mut writes, mut written) = (0, 0);
        let mut connection = pin!(poll_fn(move |cx| {
            *connection.lock().unwrap() = Some(cx.waker().clone());
            let found = waiting.swap(0, Ordering::Relaxed);
            writes += usize::from(found > 0);
            written += found;
            if written == STREAMS { Poll::Ready(writes) } else { Poll::Pending }
        }));
        let mut streams = Some(streams);
        poll_fn(|cx| {
            let polled = match &mut turn {
                Some(turn) => turn.poll(connection.as_mut(), cx),
                None => connection.as_mut().poll(cx),
            };
            for stream in streams.take().into_iter().flatten() {
                tokio::spawn(stream);
            }
            polled
        })
        .await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn frames_of_many_streams_are_written_together() {
        let one_by_one = tokio::spawn(writes(None)).await.unwrap();
        let together = tokio::spawn(writes(Some(YieldOnce::default()))).await.unwrap();
        assert!(one_by_one > 20, "the runtime runs woken tasks first: {one_by_one} writes");
        assert!(together < 5, "{together} writes");
    }
}
