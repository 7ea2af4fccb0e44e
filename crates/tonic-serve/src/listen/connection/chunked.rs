//! The rest of a response over HTTP/1.1, in chunks (RFC 9112, section 7.1), without buffers.

use std::io::{self, Cursor, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::buf::{Chain, Take};
use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;

use super::activity::{MeteredStream, Socket};
use super::response_body::{ResponseBody, ResponseChunk};
use super::service::ConnectionService;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Bytes of the longest size of a chunk, with the end of its line.
const MAX_SIZE_LINE: usize = 18;
const CHUNK_END: &[u8] = b"\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A chunk up to this length, bytes, is copied for one `write`, which costs less than a `writev` of its parts.
const COPIED: usize = 1024;

/// A response that has left hyper.
pub(super) struct ChunkedStream<S: Socket> {
    stream: MeteredStream<S>,
    /// For the requests after this one.
    service: ConnectionService,
    body: ResponseBody<Body>,
    /// The chunk that is being written: what the socket did not take at once.
    chunk: Option<Chunk<ResponseChunk>>,
    /// The rest of the last chunk, after the end of the body.
    last: Option<&'static [u8]>,
    /// Whether the connection closes at the end.
    closes: bool,
}

/// The line of its size, its data, and its end.
type Chunk<B> = Chain<Chain<Take<Cursor<[u8; MAX_SIZE_LINE]>>, B>, &'static [u8]>;

impl<S: Socket + AsyncRead + AsyncWrite + Unpin> ChunkedStream<S> {
    pub(super) fn new(
        stream: MeteredStream<S>,
        service: ConnectionService,
        body: ResponseBody<Body>,
    ) -> Self {
        Self { stream, service, body, chunk: None, last: None, closes: false }
    }

    /// Lets the connection close at the end.
    pub(super) fn close_at_end(&mut self) {
        self.closes = true;
    }

    /// The connection and the service of its next requests; `None` when it is closed.
    pub(super) fn into_parts(self) -> Option<(MeteredStream<S>, ConnectionService)> {
        (!self.closes).then_some((self.stream, self.service))
    }

    /// Sends the rest of the body. Ready at its end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.stream.poll_client(cx)?;
        loop {
            ready!(self.poll_write(cx))?;
            if self.last.is_some() {
                ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
                if self.closes {
                    ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
                }
                return Poll::Ready(Ok(()));
            }
            let Poll::Ready(next) = Pin::new(&mut self.body).poll_uncharged(cx) else {
                // TLS has a buffer of its own.
                ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
                return Poll::Pending;
            };
            match next.transpose()?.map(http_body::Frame::into_data) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => self.write_new(chunk(data), cx)?,
                // Trailers of HTTP/1.1 would have been announced, and such a body does not leave.
                Some(Err(_)) | None => self.last = Some(LAST_CHUNK),
            }
        }
    }

    /// Writes what the socket takes at once. Only the rest is charged: most chunks have none, and the accounts are shared with
    /// connections on other processors.
    fn write_new(&mut self, mut chunk: Chunk<Bytes>, cx: &mut Context<'_>) -> io::Result<()> {
        if let Poll::Ready(written) = poll_write_chunk(Pin::new(&mut self.stream), &chunk, cx) {
            chunk.advance(non_zero(written?)?);
        }
        if chunk.has_remaining() {
            let (start, end) = chunk.into_inner();
            let (line, data) = start.into_inner();
            self.chunk = Some(line.chain(self.body.charge(data)).chain(end));
        }
        Ok(())
    }

    /// Writes the rest of the chunk, and after the body the last one.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(chunk) = &mut self.chunk {
            let written = ready!(poll_write_chunk(Pin::new(&mut self.stream), chunk, cx))?;
            chunk.advance(non_zero(written)?);
            if !chunk.has_remaining() {
                // Its memory is free now.
                self.chunk = None;
            }
        }
        while let Some(last) = self.last.filter(|last| !last.is_empty()) {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, last))?;
            self.last = last.get(non_zero(written)?..);
        }
        Poll::Ready(Ok(()))
    }
}

fn chunk<B: Buf>(data: B) -> Chunk<B> {
    let mut line = Cursor::new([0; MAX_SIZE_LINE]);
    // It has room for every size.
    let written = write!(line, "{:X}\r\n", data.remaining());
    debug_assert!(written.is_ok());
    let length = usize::try_from(line.position()).unwrap_or_default();
    line.set_position(0);
    line.take(length).chain(data).chain(CHUNK_END)
}

fn poll_write_chunk(
    stream: Pin<&mut (impl AsyncWrite + ?Sized)>,
    chunk: &Chunk<impl Buf>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); 4];
    let count = chunk.chunks_vectored(&mut slices);
    let slices = &slices[..count];
    let length: usize = slices.iter().map(|slice| slice.len()).sum();
    if length > COPIED {
        return stream.poll_write_vectored(cx, slices);
    }
    let mut copied = [0; COPIED];
    let mut rest = &mut copied[..];
    for slice in slices {
        let (part, behind) = rest.split_at_mut(slice.len());
        part.copy_from_slice(slice);
        rest = behind;
    }
    stream.poll_write(cx, &copied[..length])
}

fn non_zero(written: usize) -> io::Result<usize> {
    if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) }
}
