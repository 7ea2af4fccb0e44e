//! The body of a validated response.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpc_wire::message::{COMPRESSED, PREFIX_LEN, Prefix};
use grpc_wire::reader::{BodyEnd, Message, Piece, Reader, Rules};
use grpc_wire::web::trailers;
use http::HeaderMap;
use http_body::{Body, Frame};
use tonic::{Code, Status};

use super::head::{Head, TrailersEncoding};
use crate::compression::Encoding;
use crate::context::CallContext;
use crate::error::{Error, MessageCount};
use crate::gzip;
use crate::idle_timer::IdleTimer;
use crate::limits::check_metadata;
use crate::observe::EventRef;
use crate::status;
use crate::timer::Grace;

/// The longest frame of data, in bytes. `tonic` copies each frame into a buffer that grows to its length, and a browser
/// returns megabytes at once when messages come faster than they are read.
const MAX_FRAME: usize = 256 * 1024;

type Step = Result<Option<Frame<Bytes>>, Status>;

/// Length-prefixed messages, then trailers.
pub(crate) struct ValidatedBody {
    /// `None` once the body has ended or failed.
    source: Option<tonic::body::Body>,
    head: Head,
    trailers_encoding: TrailersEncoding,
    reader: Reader,
    /// Bytes of messages that are to be returned.
    ready: Bytes,
    /// Payload of a decompressed message that is to be returned after its prefix.
    payload: Bytes,
    state: State,
    context: CallContext,
    idle: Option<IdleTimer>,
    /// Messages that came before the head was reported.
    unreported: Option<Vec<Message>>,
}

enum State {
    /// Messages may come.
    Messages,
    /// The last message is being decompressed.
    Decompressing(gzip::Work),
    /// The trailers of gRPC-Web are being decompressed.
    DecompressingTrailers(gzip::Work),
    /// The trailers of gRPC-Web came; the body has not ended.
    ///
    /// They are held back until it has. Only then is it known that nothing follows them, and a browser notes a response
    /// that was not read to its end as failed and closes the connection. A server that does not end the body delays a
    /// status only for the time of [`Grace`].
    Trailers { trailers: HeaderMap, grace: Option<Grace> },
}

impl ValidatedBody {
    pub(super) fn new(
        source: tonic::body::Body,
        head: Head,
        trailers_encoding: TrailersEncoding,
        encoding: Encoding,
        context: &CallContext,
        idle: Option<IdleTimer>,
    ) -> Self {
        let is_observed = context.reporter.is_observed();
        let reader = Reader::new(
            head.format,
            Rules {
                max_message: context.limits.max_message,
                max_trailers: context.limits.max_metadata,
                single: context.expects_one_message(),
                compressed: encoding != Encoding::Identity,
                split_compressed: encoding == Encoding::Gzip,
                capture: if is_observed { context.limits.capture } else { 0 },
            },
        );
        Self {
            source: Some(source),
            head,
            trailers_encoding,
            reader,
            ready: Bytes::new(),
            payload: Bytes::new(),
            state: State::Messages,
            context: context.clone(),
            idle,
            unreported: is_observed.then(Vec::new),
        }
    }

    /// Reports the messages that came so far, and those to come: the head has been reported.
    pub(crate) fn report_messages(&mut self) {
        for message in self.unreported.take().unwrap_or_default() {
            self.context.reporter.report(&EventRef::MessageReceived(message));
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            if let Some(data) = self.next_data() {
                return Poll::Ready(Ok(Some(Frame::data(data))));
            }
            match &mut self.state {
                State::Decompressing(work) => {
                    let message = ready!(work.as_mut().poll(cx))?;
                    self.state = State::Messages;
                    self.decompressed(message);
                    continue;
                }
                State::DecompressingTrailers(work) => {
                    let block = ready!(work.as_mut().poll(cx)).map_err(|error| self.over_the_limit(error))?;
                    self.state = trailers(&block)?;
                }
                State::Messages | State::Trailers { .. } => {}
            }
            let (reporter, unreported) = (&self.context.reporter, &mut self.unreported);
            let mut report = |message| match unreported {
                Some(messages) => messages.push(message),
                None => reporter.report(&EventRef::MessageReceived(message)),
            };
            match self.reader.next(&mut report).map_err(Error::from)? {
                Some(Piece::Messages(bytes)) => self.ready = bytes,
                Some(Piece::Compressed(message)) if message.is_empty() => self.decompressed(message),
                Some(Piece::Compressed(message)) => {
                    self.state =
                        State::Decompressing(gzip::decompress(message, self.context.limits.max_message));
                }
                Some(Piece::Trailers { flags, block }) => self.state = self.trailers_frame(flags, block)?,
                None => {
                    if let Some(step) = ready!(self.poll_source(cx)) {
                        return Poll::Ready(step);
                    }
                }
            }
        }
    }

    /// Feeds the reader. `None` when it may have something to return.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Step>> {
        let Some(source) = &mut self.source else { return Poll::Ready(Some(Ok(None))) };
        let Poll::Ready(polled) = Pin::new(source).poll_frame(cx) else {
            return match self.poll_grace(cx) {
                Poll::Pending => self.poll_idle(cx).map(|error| Some(Err(error.into()))),
                step => step.map(Some),
            };
        };
        if let Some(idle) = &mut self.idle {
            idle.reset();
        }
        Poll::Ready(match polled.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(data))) => {
                self.reader.feed(data);
                None
            }
            Some(Ok(Err(frame))) => Some(self.finish(frame.into_trailers().unwrap_or_default())),
            Some(Err(status)) => Some(self.source_failed(status)),
            None => Some(self.source_ended()),
        })
    }

    fn next_data(&mut self) -> Option<Bytes> {
        if self.ready.is_empty() {
            self.ready = std::mem::take(&mut self.payload);
        }
        let length = self.ready.len().min(MAX_FRAME);
        (length > 0).then(|| self.ready.split_to(length))
    }

    /// Queues a message with its prefix.
    fn decompressed(&mut self, message: Bytes) {
        // A message is at most as long as the format's 32-bit length, or as the limit.
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let prefix: [u8; PREFIX_LEN] = Prefix { flags: 0, length }.encode();
        self.ready = Bytes::copy_from_slice(&prefix);
        self.payload = message;
    }

    fn trailers_frame(&self, flags: u8, block: Bytes) -> Result<State, Error> {
        self.context.reporter.report(&EventRef::TrailersReceived { flags, block: &block });
        if flags & COMPRESSED == 0 {
            return trailers(&block);
        }
        match self.trailers_encoding {
            TrailersEncoding::GzipOrHidden => {
                Ok(State::DecompressingTrailers(gzip::decompress(block, self.context.limits.max_metadata)))
            }
            TrailersEncoding::Identity => {
                Err(protocol("its trailers are compressed, and its encoding is `identity`"))
            }
            TrailersEncoding::Unknown => {
                Err(protocol("its trailers are compressed by an encoding that was not accepted"))
            }
        }
    }

    fn over_the_limit(&self, error: Error) -> Error {
        match error {
            Error::MessageTooLarge { .. } => {
                Error::MetadataTooLarge { limit: self.context.limits.max_metadata }
            }
            other => other,
        }
    }

    /// Ready when the source was silent for the idle timeout.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        match (&mut self.idle, self.context.idle_timeout) {
            (Some(idle), Some(timeout)) => idle.poll(cx).map(|()| Error::Idle { timeout }),
            _ => Poll::Pending,
        }
    }

    /// Waits for the end of a body whose trailers have come.
    fn poll_grace(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let State::Trailers { trailers, grace } = &mut self.state else { return Poll::Pending };
        ready!(Pin::new(grace.get_or_insert_default()).poll(cx));
        let trailers = std::mem::take(trailers);
        Poll::Ready(self.finish(trailers))
    }

    /// A failure after the trailers loses nothing.
    fn source_failed(&mut self, status: Status) -> Step {
        match std::mem::replace(&mut self.state, State::Messages) {
            State::Trailers { trailers, .. } => self.finish(trailers),
            _ => Err(status),
        }
    }

    fn source_ended(&mut self) -> Step {
        let end = self.reader.end();
        match std::mem::replace(&mut self.state, State::Messages) {
            State::Trailers { trailers, .. } if end == BodyEnd::Complete => self.finish(trailers),
            _ if end == BodyEnd::Empty && self.head.has_status => Ok(None),
            _ if !self.head.http_status.is_success() => {
                Err(Error::Http { status: self.head.http_status.as_u16() }.into())
            }
            _ => Err(Error::Truncated { end }.into()),
        }
    }

    /// Judges the trailers, which end the body.
    fn finish(&mut self, mut trailers: HeaderMap) -> Step {
        check_metadata(&trailers, self.context.limits.max_metadata)?;
        status::repair(&mut trailers, &self.context.reporter);
        let Some(code) = status::code_in(&trailers) else {
            return Err(protocol("its trailers have no status").into());
        };
        match self.reader.end() {
            _ if code != Code::Ok => {}
            end @ (BodyEnd::InsidePrefix | BodyEnd::InsideMessage) => {
                return Err(Error::Truncated { end }.into());
            }
            _ if self.context.expects_one_message() && self.reader.messages() == 0 => {
                return Err(Error::Cardinality { found: MessageCount::Zero }.into());
            }
            _ => {}
        }
        Ok(Some(Frame::trailers(trailers)))
    }
}

impl Body for ValidatedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.source.is_none() {
            return Poll::Ready(None);
        }
        let step = ready!(self.poll_step(cx));
        if !matches!(&step, Ok(Some(frame)) if frame.is_data()) {
            // Dropped early, so that the request ends.
            self.source = None;
        }
        Poll::Ready(step.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }
}

fn trailers(block: &[u8]) -> Result<State, Error> {
    let trailers = trailers::parse(block).map_err(|error| protocol(&error.to_string()))?;
    Ok(State::Trailers { trailers, grace: None })
}

fn protocol(reason: &str) -> Error {
    Error::Protocol { reason: reason.into() }
}
