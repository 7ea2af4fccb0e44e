//! A WebSocket as a stream of bytes.
//!
//! Reads go into the caller's buffer and are decoded there. A write becomes one message, so that a browser gets together what
//! was written together. Memory does not depend on the peer: one header, one control frame.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::close::CloseCode;
use super::decoder::{BINARY, CLOSE, Decoder, End, FINAL, LENGTH_16, LENGTH_64, MAX_CONTROL, PONG};

/// Time for the peer's Close frame or its end after ours. The connection is kept that long because closing it with unread
/// bytes would reset it, and a browser would report 1006 in place of the code.
const LINGER: Duration = Duration::from_secs(1);

/// Longest frame that is sent. A browser passes a message on when all of it has come, and each message costs it as much time
/// as some ten kilobytes do.
const MAX_FRAME: usize = 128 * 1024;

/// Slices of a caller that are written at once, behind the header.
const MAX_SLICES: usize = 15;

/// Longest header of a frame to the client, which has no mask.
const MAX_HEADER: usize = 10;

/// The server's side of a WebSocket over `io`, after the handshake.
#[derive(Debug)]
pub(crate) struct WebSocket<S> {
    io: S,
    /// Bytes of the client that were read with the handshake.
    first: Bytes,
    decoder: Decoder,
    /// The header of the frame that is being written, and its part that is written.
    header: Written<MAX_HEADER>,
    /// Bytes of that frame that the caller has still to bring.
    frame_left: usize,
    /// A pong or a Close frame.
    control: Written<{ MAX_CONTROL + 2 }>,
    code: CloseCode,
    closing: Option<Closing>,
}

/// The end of a WebSocket. Bytes that are written now are dropped.
#[derive(Debug)]
struct Closing {
    /// The code of the Close frame, until that is made.
    code: Option<CloseCode>,
    /// Limits the whole end.
    linger: Pin<Box<Sleep>>,
}

/// Bytes that are being written.
#[derive(Debug)]
struct Written<const N: usize> {
    bytes: [u8; N],
    start: usize,
    end: usize,
}

impl<const N: usize> Written<N> {
    const EMPTY: Self = Self { bytes: [0; N], start: 0, end: 0 };

    fn new(parts: &[&[u8]]) -> Self {
        let mut new = Self::EMPTY;
        for part in parts {
            new.bytes[new.end..][..part.len()].copy_from_slice(part);
            new.end += part.len();
        }
        new
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn is_done(&self) -> bool {
        self.start == self.end
    }

    /// Counts written bytes, and returns how many belong to what follows.
    fn advance(&mut self, written: usize) -> usize {
        let own = written.min(self.end - self.start);
        self.start += own;
        written - own
    }
}

impl<S> WebSocket<S> {
    /// `first`: bytes of the client that were read with the handshake.
    pub(crate) fn new(io: S, first: Bytes) -> Self {
        Self {
            io,
            first,
            decoder: Decoder::default(),
            header: Written::EMPTY,
            frame_left: 0,
            control: Written::EMPTY,
            code: CloseCode::NORMAL,
            closing: None,
        }
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.io
    }

    /// Sets the code with which a shutdown closes the WebSocket. Default: [`CloseCode::NORMAL`].
    pub(crate) fn set_close_code(&mut self, code: CloseCode) {
        self.code = code;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Reads into `buf` and decodes what came. Nothing at the end of the connection or of the frames.
    fn poll_decode(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.decoder.end().is_none() {
            let raw = buf.initialize_unfilled();
            let len = ready!(self.poll_raw(cx, raw))?;
            if len == 0 {
                return Poll::Ready(Ok(()));
            }
            let payload = self.decoder.decode(&mut raw[..len]);
            // Answers a ping. Where the socket takes nothing, a write or a flush does it later.
            if let Poll::Ready(Err(error)) = self.poll_control(cx) {
                return Poll::Ready(Err(error));
            }
            if payload > 0 {
                buf.advance(payload);
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads bytes as the client sent them. Returns their number, 0 at the end of the connection.
    fn poll_raw(&mut self, cx: &mut Context<'_>, raw: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.first.is_empty() {
            let mut part = ReadBuf::new(raw);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
            return Poll::Ready(Ok(part.filled().len()));
        }
        let len = self.first.len().min(raw.len());
        self.first.copy_to_slice(&mut raw[..len]);
        if self.first.is_empty() {
            // Frees the memory for the rest of the connection.
            self.first = Bytes::new();
        }
        Poll::Ready(Ok(len))
    }

    /// Writes the waiting control frame, if it may be written between two frames.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.frame_left > 0 || !self.header.is_done() {
            return Poll::Ready(Ok(()));
        }
        loop {
            if self.control.is_done() {
                if self.closing.is_some() {
                    return Poll::Ready(Ok(()));
                }
                let Some(ping) = self.decoder.take_ping() else { return Poll::Ready(Ok(())) };
                self.control = control_frame(PONG, ping.bytes());
            }
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, self.control.rest()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.control.advance(written);
        }
    }

    /// Sends a Close frame with `code`, unless a frame is cut off, and waits for the peer's. Ready after [`LINGER`] at the
    /// latest.
    fn poll_close(&mut self, cx: &mut Context<'_>, code: CloseCode) -> Poll<io::Result<()>> {
        let start = || Closing { code: Some(code), linger: Box::pin(sleep(LINGER)) };
        if self.closing.get_or_insert_with(start).linger.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_control(cx))?;
        if let Some(code) = self.closing.as_mut().and_then(|closing| closing.code.take()) {
            if self.frame_left == 0 && self.header.is_done() {
                self.control = control_frame(CLOSE, &code.0.to_be_bytes());
            }
            ready!(self.poll_control(cx))?;
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.poll_end(cx)
    }

    /// Reads and drops bytes until the peer's Close frame, or its end after a violation.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut dropped = [0; 1024];
        while !matches!(self.decoder.end(), Some(End::Closed(_))) {
            let len = ready!(self.poll_raw(cx, &mut dropped))?;
            if len == 0 {
                break;
            }
            self.decoder.decode(&mut dropped[..len]);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes `slices` as a frame, or as the rest of one.
    fn poll_frame(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.closing.is_some() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        if self.frame_left == 0 {
            ready!(self.poll_control(cx))?;
        }
        let slices = &slices[..slices.len().min(MAX_SLICES)];
        loop {
            let offered: usize = slices.iter().map(|slice| slice.len()).sum();
            if offered == 0 {
                return Poll::Ready(Ok(0));
            }
            // A frame begins only with its first written byte: a caller may give up after `Pending`.
            let begins = self.frame_left == 0;
            let (new_header, frame_left) = match begins {
                true => (frame_header(offered.min(MAX_FRAME)), offered.min(MAX_FRAME)),
                false => (Written::EMPTY, self.frame_left),
            };
            let header = if begins { new_header.rest() } else { self.header.rest() };
            let written = {
                let mut parts = [IoSlice::new(&[]); MAX_SLICES + 1];
                let count = gather(&mut parts, header, slices, frame_left);
                ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &parts[..count]))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if begins {
                self.header = new_header;
            }
            let payload = self.header.advance(written);
            self.frame_left = frame_left - payload;
            if payload > 0 {
                return Poll::Ready(Ok(payload));
            }
        }
    }
}

/// Collects the header and up to `max` bytes of `slices` in `parts`. Returns the number of parts.
fn gather<'a>(
    parts: &mut [IoSlice<'a>; MAX_SLICES + 1],
    header: &'a [u8],
    slices: &'a [IoSlice<'_>],
    max: usize,
) -> usize {
    parts[0] = IoSlice::new(header);
    let (mut count, mut left) = (1, max);
    for slice in slices {
        let part = &slice[..slice.len().min(left)];
        parts[count] = IoSlice::new(part);
        count += 1;
        left -= part.len();
    }
    count
}

fn frame_header(len: usize) -> Written<MAX_HEADER> {
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len), _) if len < LENGTH_16 => Written::new(&[&[FINAL | BINARY, len]]),
        (_, Ok(len)) => Written::new(&[&[FINAL | BINARY, LENGTH_16], &len.to_be_bytes()]),
        _ => Written::new(&[&[FINAL | BINARY, LENGTH_64], &(len as u64).to_be_bytes()]),
    }
}

/// `payload` has at most [`MAX_CONTROL`] bytes.
fn control_frame(opcode: u8, payload: &[u8]) -> Written<{ MAX_CONTROL + 2 }> {
    let [.., len] = payload.len().to_be_bytes();
    Written::new(&[&[FINAL | opcode, len], payload])
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        if this.closing.is_none() {
            ready!(this.poll_decode(cx, buf))?;
        }
        match this.decoder.end() {
            Some(End::Failed(violation)) if buf.filled().len() == before => {
                // An error of the close is none of the stream's: that ends with the violation.
                ready!(this.poll_close(cx, violation.code)).ok();
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, violation.reason)))
            }
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_frame(cx, &[IoSlice::new(buf)])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_frame(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_control(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    /// Closes the WebSocket and the connection. A client's Close frame is answered with its own code.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let code = match this.decoder.end() {
            Some(End::Closed(code)) => code.unwrap_or(CloseCode::NORMAL),
            Some(End::Failed(violation)) => violation.code,
            None => this.code,
        };
        ready!(this.poll_close(cx, code))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
