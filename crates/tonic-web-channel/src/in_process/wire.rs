//! The body of a response as gRPC-Web, with the faults of one call.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use grpc_wire::message;
use grpc_wire::web::trailers;
use http::HeaderMap;
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;

use super::Fault;
use crate::error::Error;

/// The bytes of one response.
pub(super) struct WireBody {
    service: Body,
    /// The start of a message that is not complete.
    partial: BytesMut,
    /// Number of complete messages.
    messages: usize,
    frames: VecDeque<Bytes>,
    ended: bool,
    /// Number of bytes that have been returned.
    position: usize,
    faults: BodyFaults,
}

/// The faults of a call that concern the bytes of the body.
#[derive(Default)]
struct BodyFaults {
    end: Option<(usize, EarlyEnd)>,
    max_chunk: Option<usize>,
    duplicate_messages: Vec<usize>,
    duplicate_trailers: bool,
}

#[derive(Clone, Copy)]
enum EarlyEnd {
    Cut,
    Drop,
    Stall,
}

impl WireBody {
    pub(super) fn new(service: Body, faults: &[Fault]) -> Self {
        Self {
            service,
            partial: BytesMut::new(),
            messages: 0,
            frames: VecDeque::new(),
            ended: false,
            position: 0,
            faults: BodyFaults::of(faults),
        }
    }

    /// Splits complete messages off. The rest stays, which may be the page of a proxy.
    fn data(&mut self, data: &[u8]) {
        self.partial.extend_from_slice(data);
        while let Some((prefix, payload)) = message::split_first(&mut self.partial) {
            let frame = message::encode(prefix.flags, &payload);
            if self.faults.duplicate_messages.contains(&self.messages) {
                self.frames.push_back(frame.clone());
            }
            self.frames.push_back(frame);
            self.messages += 1;
        }
    }

    fn trailers(&mut self, trailers: &HeaderMap) {
        let frame = trailers::encode(trailers);
        if self.faults.duplicate_trailers {
            self.frames.push_back(frame.clone());
        }
        self.frames.push_back(frame);
    }

    /// The next bytes, at most `max` of them.
    fn next_chunk(&mut self, max: usize) -> Option<Bytes> {
        let frame = self.frames.front_mut()?;
        let max = self.faults.max_chunk.unwrap_or(max).min(max);
        let chunk = frame.split_to(frame.len().min(max));
        if frame.is_empty() {
            self.frames.pop_front();
        }
        self.position += chunk.len();
        Some(chunk)
    }
}

impl http_body::Body for WireBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let max = match this.faults.end {
            Some((at, end)) if at <= this.position => return end.poll(),
            Some((at, _)) => at - this.position,
            None => usize::MAX,
        };
        loop {
            if let Some(chunk) = this.next_chunk(max) {
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.service).poll_frame(cx)) {
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

impl BodyFaults {
    fn of(faults: &[Fault]) -> Self {
        let mut found = Self::default();
        for fault in faults {
            match *fault {
                Fault::CutAt(at) => found.end_at(at, EarlyEnd::Cut),
                Fault::DropAt(at) => found.end_at(at, EarlyEnd::Drop),
                Fault::StallAt(at) => found.end_at(at, EarlyEnd::Stall),
                Fault::DuplicateMessage(number) => found.duplicate_messages.push(number),
                Fault::DuplicateTrailers => found.duplicate_trailers = true,
                Fault::Pieces(length) => found.max_chunk = Some(length.max(1)),
                Fault::Delay(_) | Fault::Fail(_) | Fault::Status(_) | Fault::ContentType(_) => {}
            }
        }
        found
    }

    /// Keeps the earliest of all ends.
    fn end_at(&mut self, at: usize, end: EarlyEnd) {
        if self.end.is_none_or(|(earlier, _)| at < earlier) {
            self.end = Some((at, end));
        }
    }
}

impl EarlyEnd {
    fn poll(self) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self {
            Self::Cut => Poll::Ready(None),
            Self::Drop => Poll::Ready(Some(Err(lost("the connection was dropped by a fault")))),
            // Nothing wakes the task: deadlines and idle timeouts have to.
            Self::Stall => Poll::Pending,
        }
    }
}

fn lost(reason: &str) -> Status {
    Error::ConnectionLost { reason: reason.to_owned() }.into()
}
