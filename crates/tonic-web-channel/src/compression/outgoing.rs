//! Compression of a request's messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use grpc_wire::message::{self, COMPRESSED};
use http_body::{Body, Frame};
use tonic::Status;

use crate::gzip;

/// A request body whose messages are compressed where that makes them smaller.
///
/// It holds one message, and the bytes that the inner body returned together with it.
pub(crate) struct CompressBody {
    inner: Option<tonic::body::Body>,
    buffer: BytesMut,
    current: Option<Current>,
}

struct Current {
    plain: Bytes,
    compressed: gzip::Work,
}

impl CompressBody {
    pub(crate) fn new(inner: tonic::body::Body) -> Self {
        Self { inner: Some(inner), buffer: BytesMut::new(), current: None }
    }
}

impl Body for CompressBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        loop {
            if let Some(current) = &mut this.current {
                let compressed = ready!(current.compressed.as_mut().poll(cx))?;
                let frame = encode_smaller(&current.plain, &compressed);
                this.current = None;
                return Poll::Ready(Some(Ok(Frame::data(frame))));
            }
            if let Some((_, plain)) = message::split_first(&mut this.buffer) {
                let compressed = gzip::compress(plain.clone());
                this.current = Some(Current { plain, compressed });
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
fn encode_smaller(plain: &[u8], compressed: &[u8]) -> Bytes {
    if compressed.len() < plain.len() {
        message::encode(COMPRESSED, compressed)
    } else {
        message::encode(0, plain)
    }
}
