//! The response's body as bytes of gRPC-Web, and what may happen to bytes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::Stream;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use super::Fault;
use crate::error::Error;

/// Bytes of a frame's prefix: one of flags, four of length.
const PREFIX: usize = 5;
/// The flags of a frame of trailers.
const TRAILERS: u8 = 0b1000_0000;

/// The bytes of one response.
pub(super) struct Wire {
    body: Body,
    /// What came of a message that is not whole.
    partial: BytesMut,
    messages: usize,
    frames: VecDeque<Bytes>,
    ended: bool,
    at: usize,
    faults: Faults,
}

/// What of a call's faults concerns bytes.
#[derive(Default)]
struct Faults {
    end: Option<(usize, End)>,
    piece: Option<usize>,
    twice: Vec<usize>,
    trailers_twice: bool,
}

/// What the bytes end with before their time.
#[derive(Clone, Copy)]
enum End {
    Cut,
    Drop,
    Stall,
}

impl Wire {
    pub(super) fn new(body: Body, faults: &[Fault]) -> Self {
        Self {
            body,
            partial: BytesMut::new(),
            messages: 0,
            frames: VecDeque::new(),
            ended: false,
            at: 0,
            faults: Faults::of(faults),
        }
    }

    /// Cuts whole messages off what came; what no message is complete of stays, also when it is a proxy's page.
    fn data(&mut self, data: &[u8]) {
        self.partial.extend_from_slice(data);
        while let Some(length) = whole_message(&self.partial) {
            let message = self.partial.split_to(length).freeze();
            if self.faults.twice.contains(&self.messages) {
                self.frames.push_back(message.clone());
            }
            self.frames.push_back(message);
            self.messages += 1;
        }
    }

    fn trailers(&mut self, trailers: &HeaderMap) {
        let frame = trailers_frame(trailers);
        if self.faults.trailers_twice {
            self.frames.push_back(frame.clone());
        }
        self.frames.push_back(frame);
    }

    /// The next bytes, as far as they may go.
    fn piece(&mut self, mut longest: usize) -> Option<Bytes> {
        let frame = self.frames.front_mut()?;
        if let Some(piece) = self.faults.piece {
            longest = longest.min(piece);
        }
        let piece = frame.split_to(frame.len().min(longest));
        if frame.is_empty() {
            self.frames.pop_front();
        }
        self.at += piece.len();
        Some(piece)
    }
}

impl Stream for Wire {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let longest = match this.faults.end {
            Some((at, end)) if at <= this.at => return end.poll(),
            Some((at, _)) => at - this.at,
            None => usize::MAX,
        };
        loop {
            if let Some(piece) = this.piece(longest) {
                return Poll::Ready(Some(Ok(piece)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.data(&data),
                    Err(frame) => {
                        if let Some(trailers) = frame.trailers_ref() {
                            this.trailers(trailers);
                        }
                    }
                },
                Some(Err(status)) => return Poll::Ready(Some(Err(lost(status.message())))),
                None => {
                    this.ended = true;
                    let rest = std::mem::take(&mut this.partial).freeze();
                    this.frames.extend(Some(rest).filter(|rest| !rest.is_empty()));
                }
            }
        }
    }
}

impl End {
    fn poll(self) -> Poll<Option<Result<Bytes, Error>>> {
        match self {
            Self::Cut => Poll::Ready(None),
            Self::Drop => Poll::Ready(Some(Err(lost("dropped on order")))),
            // Nothing wakes it: what else the caller waits for has to.
            Self::Stall => Poll::Pending,
        }
    }
}

impl Faults {
    fn of(faults: &[Fault]) -> Self {
        let mut found = Self::default();
        for fault in faults {
            match *fault {
                Fault::CutAt(at) => found.end_at(at, End::Cut),
                Fault::DropAt(at) => found.end_at(at, End::Drop),
                Fault::StallAt(at) => found.end_at(at, End::Stall),
                Fault::DuplicateMessage(number) => found.twice.push(number),
                Fault::DuplicateTrailers => found.trailers_twice = true,
                Fault::Pieces(length) => found.piece = Some(length.max(1)),
                Fault::Delay(_) | Fault::Fail(_) | Fault::Status(_) | Fault::ContentType(_) => {}
            }
        }
        found
    }

    /// The first end there is.
    fn end_at(&mut self, at: usize, end: End) {
        if self.end.is_none_or(|(earlier, _)| at < earlier) {
            self.end = Some((at, end));
        }
    }
}

/// The length of the message that `bytes` begin with, prefix included, when it is whole.
fn whole_message(bytes: &[u8]) -> Option<usize> {
    let [_, a, b, c, d] = *bytes.first_chunk::<PREFIX>()?;
    let length = PREFIX.checked_add(u32::from_be_bytes([a, b, c, d]) as usize)?;
    (bytes.len() >= length).then_some(length)
}

/// The frame of trailers that gRPC-Web puts at the body's end.
fn trailers_frame(trailers: &HeaderMap) -> Bytes {
    let mut block = Vec::new();
    for (name, value) in trailers {
        block.extend_from_slice(name.as_str().as_bytes());
        block.extend_from_slice(b": ");
        block.extend_from_slice(value.as_bytes());
        block.extend_from_slice(b"\r\n");
    }
    let mut frame = BytesMut::with_capacity(PREFIX + block.len());
    frame.put_u8(TRAILERS);
    // Metadata that does not fit into memory is not made here.
    frame.put_u32(u32::try_from(block.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&block);
    frame.freeze()
}

fn lost(reason: &str) -> Error {
    Error::ConnectionLost { reason: reason.to_owned() }
}

/// What a proxy says.
pub(super) fn page() -> Body {
    Body::new(once(Bytes::from_static(b"<!doctype html><title>Error</title>")))
}

/// A body of one piece.
pub(super) fn once(bytes: Bytes) -> Once {
    Once(bytes)
}

pub(super) struct Once(Bytes);

impl http_body::Body for Once {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let bytes = std::mem::take(&mut self.0);
        Poll::Ready(bytes.has_remaining().then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}
