//! The response's body: bytes as HTTP brings them in, messages and then trailers out.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame};
use tonic::Status;

use super::frames::{COMPRESSED, Frames, Piece};
use super::head::{Encoding, Form, Head};
use super::text::Text;
use super::trailers;
use crate::error::Error;
use crate::gzip;
use crate::observe::{EventRef, Reporter};
use crate::timer::Grace;

/// Decodes one response.
pub(super) struct WebBody<S> {
    /// Dropped as soon as nothing more is wanted of it.
    chunks: Option<S>,
    head: Head,
    text: Option<Text>,
    frames: Frames,
    state: State,
    max_metadata: usize,
    reporter: Reporter,
}

enum State {
    /// Messages may come.
    Messages,
    /// The trailers came and are being decompressed.
    Unpacking(gzip::Work),
    /// The trailers came; the body has not ended.
    ///
    /// The trailers are held back until it has: only then is it known that they are the last, and only a response
    /// that was read to its end counts as complete with a browser, which otherwise notes the call as failed and
    /// closes its connection. The end is usually there in the same moment. A server that does not end the body must
    /// not hold back a status for longer than a grace.
    Ending { trailers: HeaderMap, grace: Option<Grace> },
    /// Everything has been given out.
    Over,
}

type Step = Result<Option<Frame<Bytes>>, Error>;

impl<S> WebBody<S>
where
    S: Stream<Item = Result<Bytes, Error>> + Unpin,
{
    pub(super) fn new(chunks: S, head: Head, max_metadata: usize, reporter: Reporter) -> Self {
        Self {
            chunks: Some(chunks),
            head,
            text: (head.form == Form::Text).then(Text::default),
            frames: Frames::new(max_metadata),
            state: State::Messages,
            max_metadata,
            reporter,
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            if let State::Unpacking(work) = &mut self.state {
                let block = ready!(work.as_mut().poll(cx)).map_err(|error| self.over_the_limit(error))?;
                self.state = State::Ending { trailers: trailers::parse(&block)?, grace: None };
            }
            match self.frames.next()? {
                Some(Piece::Messages(bytes)) => return Poll::Ready(Ok(Some(Frame::data(bytes)))),
                Some(Piece::Trailers { flags, block }) => {
                    self.state = self.trailers(flags, block)?;
                    continue;
                }
                None => {}
            }
            if self.text.as_ref().is_some_and(Text::broken) {
                return Poll::Ready(Err(protocol("its text form is no base64")));
            }
            let Some(chunks) = &mut self.chunks else { return Poll::Ready(Ok(None)) };
            match chunks.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(chunk))) => self.feed(chunk),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(self.lost(error)),
                Poll::Ready(None) => return Poll::Ready(self.ended()),
                Poll::Pending => return self.poll_grace(cx),
            }
        }
    }

    fn feed(&mut self, chunk: Bytes) {
        match &mut self.text {
            Some(text) => self.frames.feed(text.decode(&chunk)),
            None => self.frames.feed(chunk),
        }
    }

    fn trailers(&mut self, flags: u8, block: Bytes) -> Result<State, Error> {
        self.reporter.report(&EventRef::TrailersReceived { flags, block: &block });
        if flags & COMPRESSED == 0 {
            return Ok(State::Ending { trailers: trailers::parse(&block)?, grace: None });
        }
        match self.head.encoding {
            Encoding::GzipOrHidden => Ok(State::Unpacking(gzip::decompress(block, self.max_metadata))),
            Encoding::Identity => Err(protocol("its trailers are compressed, and it says that nothing is")),
            Encoding::Unknown => Err(protocol("its trailers are compressed in a way that was not offered")),
        }
    }

    fn over_the_limit(&self, error: Error) -> Error {
        match error {
            Error::MessageTooLarge { .. } => Error::MetadataTooLarge { limit: self.max_metadata },
            other => other,
        }
    }

    /// The connection broke. When the status has come, that is of no interest any more.
    fn lost(&mut self, error: Error) -> Step {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Ending { trailers, .. } => Ok(Some(Frame::trailers(trailers))),
            _ => Err(error),
        }
    }

    /// The body ended as HTTP has it.
    fn ended(&mut self) -> Step {
        if self.text.as_ref().is_some_and(Text::cut) {
            return Err(Error::Truncated { place: "inside a group of base64" });
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Ending { trailers, .. } => Ok(Some(Frame::trailers(trailers))),
            _ if self.head.trailers_only && self.frames.nothing_came() => Ok(None),
            _ if self.head.status != StatusCode::OK => Err(Error::Http { status: self.head.status.as_u16() }),
            _ => Err(Error::Truncated { place: self.frames.cut().unwrap_or("after its trailers") }),
        }
    }

    /// Nothing is there right now.
    fn poll_grace(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let State::Ending { trailers, grace } = &mut self.state else { return Poll::Pending };
        let grace = grace.get_or_insert_default();
        ready!(Pin::new(grace).poll(cx));
        let trailers = std::mem::take(trailers);
        Poll::Ready(Ok(Some(Frame::trailers(trailers))))
    }
}

impl<S> Body for WebBody<S>
where
    S: Stream<Item = Result<Bytes, Error>> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let step = ready!(self.poll_step(cx));
        if !matches!(&step, Ok(Some(frame)) if frame.is_data()) {
            self.state = State::Over;
            self.chunks = None;
        }
        Poll::Ready(step.map_err(Status::from).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_none()
    }
}

fn protocol(reason: &str) -> Error {
    Error::Protocol { reason: reason.into() }
}
