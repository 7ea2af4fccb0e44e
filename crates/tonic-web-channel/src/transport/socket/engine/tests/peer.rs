//! A client of the engine, and the bytes between it and `h2`'s server, cut as a test says.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead as _, AsyncWrite as _, DuplexStream, ReadBuf};

use super::super::{Engine, Failure, Limits, Part};

/// An engine that calls share.
#[derive(Clone)]
pub(super) struct Client(Arc<Mutex<Engine>>);

impl Client {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Engine::new(limits))))
    }

    pub(super) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.0.lock().unwrap()
    }

    /// Begins a call when its turn has come. `None` when there are no more turns.
    pub(super) async fn open(&self, request: Request<()>) -> Option<Call> {
        let mut ticket = None;
        if !poll_fn(|cx| self.engine().poll_turn(&mut ticket, cx.waker())).await {
            return None;
        }
        let id = self.engine().open(&request.into_parts().0).unwrap();
        Some(Call { client: self.clone(), id })
    }

    /// Passes bytes to and from `io` until the connection is done, in pieces of `cuts`, over and over.
    pub(super) async fn run(self, mut io: DuplexStream, cuts: Vec<usize>) -> String {
        let mut cuts = cuts.into_iter().cycle();
        let mut unsent = Vec::new();
        poll_fn(move |cx| self.pass(Pin::new(&mut io), &mut cuts, &mut unsent, cx)).await
    }

    fn pass(
        &self,
        mut io: Pin<&mut DuplexStream>,
        cuts: &mut impl Iterator<Item = usize>,
        unsent: &mut Vec<u8>,
        cx: &mut Context<'_>,
    ) -> Poll<String> {
        loop {
            let mut bytes = vec![0; cuts.next().unwrap()];
            let mut buffer = ReadBuf::new(&mut bytes);
            match io.as_mut().poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.engine().receive(Bytes::copy_from_slice(buffer.filled()));
                }
                Poll::Ready(_) => return Poll::Ready("the server closed the connection".to_owned()),
                Poll::Pending => break,
            }
        }
        loop {
            self.engine().set_driver(Some(cx.waker().clone()));
            if unsent.is_empty() {
                self.engine().write(unsent);
            }
            if unsent.is_empty() {
                return self.engine().done().map_or(Poll::Pending, Poll::Ready);
            }
            let length = unsent.len().min(cuts.next().unwrap());
            match ready!(io.as_mut().poll_write(cx, &unsent[..length])) {
                Ok(written) => drop(unsent.drain(..written)),
                Err(error) => return Poll::Ready(error.to_string()),
            }
        }
    }
}

/// A call, which is cancelled when it is dropped before its end.
pub(super) struct Call {
    pub(super) client: Client,
    pub(super) id: u32,
}

impl Call {
    /// Sends `chunks` as far as they are wanted.
    pub(super) async fn send(&self, chunks: impl Iterator<Item = Bytes>) {
        for chunk in chunks {
            if !poll_fn(|cx| self.client.engine().poll_room(self.id, cx)).await {
                return;
            }
            self.client.engine().send(self.id, chunk);
        }
        self.client.engine().finish(self.id);
    }

    pub(super) async fn head(&self) -> Result<Response<()>, Failure> {
        poll_fn(|cx| self.client.engine().poll_head(self.id, cx)).await
    }

    /// The next piece of the body; otherwise the trailers, if any.
    pub(super) async fn data(&self) -> Result<Bytes, Result<Option<HeaderMap>, Failure>> {
        match poll_fn(|cx| self.client.engine().poll_part(self.id, cx)).await {
            Part::Data(bytes) => Ok(bytes),
            Part::Trailers(trailers) => Err(Ok(Some(trailers))),
            Part::End => Err(Ok(None)),
            Part::Failed(failure) => Err(Err(failure)),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.client.engine().release(self.id);
    }
}

/// Polls `future` once.
pub(super) fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match std::pin::pin!(future).as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
