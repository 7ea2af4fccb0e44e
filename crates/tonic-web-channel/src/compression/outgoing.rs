//! A request's messages, compressed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http_body::{Body, Frame};
use tonic::Status;

use crate::gzip;
use crate::messages::{COMPRESSED, PREFIX};

/// A request's body whose messages are compressed where that makes them smaller.
///
/// It holds one message at a time, and what the inner body gave together with it.
pub(crate) struct Deflating {
    inner: Option<tonic::body::Body>,
    buffer: BytesMut,
    running: Option<Running>,
}

struct Running {
    plain: Bytes,
    packed: gzip::Work,
}

impl Deflating {
    pub(crate) fn new(inner: tonic::body::Body) -> Self {
        Self { inner: Some(inner), buffer: BytesMut::new(), running: None }
    }

    /// The next whole message in the buffer, without its prefix.
    fn next_message(&mut self) -> Option<Bytes> {
        let [_, length @ ..] = *self.buffer.first_chunk::<PREFIX>()?;
        let end = PREFIX + usize::try_from(u32::from_be_bytes(length)).ok()?;
        if self.buffer.len() < end {
            return None;
        }
        let mut message = self.buffer.split_to(end);
        message.advance(PREFIX);
        Some(message.freeze())
    }
}

impl Body for Deflating {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        loop {
            if let Some(running) = &mut this.running {
                let packed = ready!(running.packed.as_mut().poll(cx))?;
                let plain = std::mem::take(&mut running.plain);
                this.running = None;
                return Poll::Ready(Some(Ok(Frame::data(smaller(&plain, &packed)))));
            }
            if let Some(plain) = this.next_message() {
                let packed = gzip::compress(plain.clone());
                this.running = Some(Running { plain, packed });
                continue;
            }
            let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
            match ready!(Pin::new(inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.buffer.extend_from_slice(&data),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None => this.inner = None,
            }
        }
    }
}

/// The message with its prefix, in the shorter of both forms.
fn smaller(plain: &[u8], packed: &[u8]) -> Bytes {
    let (flags, message) = if packed.len() < plain.len() { (COMPRESSED, packed) } else { (0, plain) };
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(flags);
    // No longer than the plain message, whose length came as a 32-bit number.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}
