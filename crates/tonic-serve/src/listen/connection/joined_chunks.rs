//! Joins chunks of a response that are ready together. Knows no connection and no account.
//!
//! Each chunk becomes a frame of HTTP/2. A frame costs its connection a wake-up and a write, and in a socket the page a
//! message of its WebSocket, which for short frames is most of their cost.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};

/// The most bytes after which no further chunk is added.
const MAX_JOINED: usize = 32 * 1024;

/// Joined bytes are at most this part of those that the client has taken of the response. So a client that takes nothing
/// makes the server hold no more for it than without joining.
const TAKEN_PART: usize = 4;

/// The most chunks of a join: a body may have chunks without bytes.
const MAX_CHUNKS: usize = 4 * 1024;

/// The next frame of a body, or its end.
type Next<E> = Option<Result<Frame<Bytes>, E>>;

/// The joins of one body.
pub(super) struct JoinedChunks<E> {
    /// The item behind the last chunk of a join: trailers, the end, or a failure. Boxed, because it is there once, and every
    /// open call has the place.
    after: Option<Box<Next<E>>>,
}

impl<E> Default for JoinedChunks<E> {
    fn default() -> Self {
        Self { after: None }
    }
}

impl<E> JoinedChunks<E> {
    /// The next frame of `body`, or several chunks that are ready as one. Empty chunks are left out: clients of HTTP/2 close
    /// connections on which many of them come. `taken`: bytes of the response that the client has
    /// taken.
    pub(super) fn poll<B>(
        &mut self,
        mut body: Pin<&mut B>,
        taken: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Next<E>>
    where
        B: Body<Data = Bytes, Error = E>,
    {
        if let Some(after) = self.after.take() {
            return Poll::Ready(*after);
        }
        let limit = MAX_JOINED.min(taken / TAKEN_PART);
        for _ in 0..MAX_CHUNKS {
            let first = match ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => continue,
                    Ok(data) if data.len() < limit => data,
                    Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                other => return Poll::Ready(other),
            };
            return Poll::Ready(Some(Ok(Frame::data(self.join(first, body, limit, cx)))));
        }
        // Others have their turn before more of a body that has nothing to say.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Adds chunks of `body` to `first` until they have `limit` bytes, or none is ready.
    fn join<B>(&mut self, first: Bytes, mut body: Pin<&mut B>, limit: usize, cx: &mut Context<'_>) -> Bytes
    where
        B: Body<Data = Bytes, Error = E>,
    {
        let mut joined = BytesMut::new();
        for _ in 0..MAX_CHUNKS {
            let Poll::Ready(next) = body.as_mut().poll_frame(cx) else { break };
            let data = match next {
                Some(Ok(frame)) => frame.into_data().map_err(|trailers| Some(Ok(trailers))),
                end => Err(end),
            };
            match data {
                Ok(data) => {
                    if joined.is_empty() {
                        joined.reserve(first.len() + data.len());
                        joined.extend_from_slice(&first);
                    }
                    joined.extend_from_slice(&data);
                    if joined.len() >= limit {
                        break;
                    }
                }
                Err(after) => {
                    self.after = Some(Box::new(after));
                    break;
                }
            }
        }
        if joined.is_empty() { first } else { joined.freeze() }
    }

    /// Whether `body` has ended, and nothing of it is left here.
    pub(super) fn is_end_stream<B: Body>(&self, body: &B) -> bool {
        match &self.after {
            Some(after) => after.is_none(),
            None => body.is_end_stream(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;
    use std::pin::pin;

    use futures_util::stream::{self, Stream};
    use http::HeaderMap;
    use http_body_util::StreamBody;

    use super::*;

    const CHUNK: usize = 1_000;

    type Parts<E> = Vec<Option<Result<Frame<Bytes>, E>>>;

    fn chunk() -> Frame<Bytes> {
        Frame::data(vec![7; CHUNK].into())
    }

    /// Everything that comes at once of `frames`, of which the client has taken `taken` bytes.
    fn joined<E>(frames: impl Stream<Item = Result<Frame<Bytes>, E>>, taken: usize) -> Parts<E> {
        let mut body = pin!(StreamBody::new(frames));
        let mut joins = JoinedChunks::default();
        let mut parts = Vec::new();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(part) = joins.poll(body.as_mut(), taken, &mut cx) {
            let is_end = part.is_none();
            parts.push(part);
            if is_end {
                break;
            }
        }
        parts
    }

    fn lengths<E>(parts: Parts<E>) -> Vec<usize> {
        parts.into_iter().filter_map(|part| Some(part?.ok()?.into_data().ok()?.len())).collect()
    }

    fn chunks(count: usize) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
        stream::iter((0..count).map(|_| Ok(chunk())))
    }

    #[test]
    fn ready_chunks_are_joined_up_to_the_limit() {
        assert_eq!(lengths(joined(chunks(70), usize::MAX)), [33_000, 33_000, 4_000]);
    }

    #[test]
    fn client_that_has_taken_little_makes_nothing_be_joined() {
        assert_eq!(lengths(joined(chunks(3), 0)), [CHUNK; 3]);
        assert_eq!(lengths(joined(chunks(3), TAKEN_PART * CHUNK)), [CHUNK; 3]);
        assert_eq!(lengths(joined(chunks(4), TAKEN_PART * (CHUNK + 1))), [2 * CHUNK; 2]);
    }

    #[test]
    fn chunk_does_not_wait_for_the_next_one() {
        use futures_util::StreamExt as _;
        let frames = chunks(2).chain(stream::pending());
        assert_eq!(lengths(joined(frames, usize::MAX)), [2 * CHUNK]);
    }

    #[test]
    fn body_is_asked_again_after_a_join_although_its_wake_up_came_before() {
        let ready = Cell::new(2_u32);
        let frames = stream::poll_fn(|_| {
            let Some(left) = ready.get().checked_sub(1) else { return Poll::Pending };
            ready.set(left);
            Poll::Ready(Some(Ok::<_, Infallible>(chunk())))
        });
        let mut body = pin!(StreamBody::new(frames));
        let mut joins = JoinedChunks::default();
        let mut cx = Context::from_waker(futures_util::task::noop_waker_ref());
        assert!(joins.poll(body.as_mut(), usize::MAX, &mut cx).is_ready());
        // HTTP waits for the client when the body wakes it, and asks the body only afterwards.
        ready.set(1);
        assert!(joins.poll(body.as_mut(), usize::MAX, &mut cx).is_ready());
    }

    #[test]
    fn empty_chunks_are_left_out() {
        let empty = || Ok(Frame::data(Bytes::new()));
        for taken in [0, usize::MAX] {
            let frames = [empty(), Ok::<_, Infallible>(chunk()), empty(), empty()];
            assert_eq!(lengths(joined(stream::iter(frames), taken)), [CHUNK]);
        }
    }

    #[test]
    fn trailers_end_and_failure_come_after_the_joined_chunks() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = [Ok::<_, Infallible>(chunk()), Ok(chunk()), Ok(Frame::trailers(trailers.clone()))];
        let mut parts = joined(stream::iter(frames), usize::MAX).into_iter();
        assert_eq!(parts.next().unwrap().unwrap().unwrap().into_data().unwrap().len(), 2 * CHUNK);
        assert_eq!(parts.next().unwrap().unwrap().unwrap().into_trailers().unwrap(), trailers);
        assert!(parts.next().unwrap().is_none());

        let mut parts = joined(stream::iter([Ok(chunk()), Err("broken")]), usize::MAX).into_iter();
        assert!(parts.next().unwrap().unwrap().unwrap().is_data());
        assert_eq!(parts.next().unwrap().unwrap().unwrap_err(), "broken");
    }

    #[test]
    fn end_is_known_when_everything_was_passed_on() {
        let mut body = pin!(StreamBody::new(chunks(2)));
        let mut joins = JoinedChunks::default();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(!joins.is_end_stream(&*body));
        assert!(joins.poll(body.as_mut(), usize::MAX, &mut cx).is_ready());
        assert!(joins.is_end_stream(&*body));
    }
}
