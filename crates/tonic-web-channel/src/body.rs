//! The body of a response: it keeps the rules of its messages, ends at the deadline, and reports how the call
//! ended.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};

use crate::attempt::{First, Head, warn_of_details};
use crate::channel::PresentedToken;
use crate::compression::{Encoding, Inflater};
use crate::error::{Error, MessageCount};
use crate::guard::Guard;
use crate::limits::{Permit, check_metadata};
use crate::messages::{Messages, Rules};
use crate::observe::{OpenCall, Told};
use crate::request_body::Repeatable;
use crate::status;

/// How much is handed on at once, in bytes. `tonic` copies it into a buffer that grows to what it is given, and a
/// browser gives megabytes at a time when messages come faster than they are read.
const PIECE: usize = 256 * 1024;

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

/// The body of a response: gRPC frames, then trailers.
///
/// Dropping it cancels the call.
pub struct ResponseBody {
    // None when the call is over.
    source: Option<tonic::body::Body>,
    first: Option<Frame<Bytes>>,
    reading: Reading,
    /// Bytes of messages that are good and have not been handed on.
    rest: Bytes,
    /// What ends the call after the messages that were good.
    failure: Option<Error>,
    guard: Guard,
    http_status: StatusCode,
    limits: BodyLimits,
    held: Held,
}

/// What a response's body holds until the call is over.
pub(crate) struct Held {
    pub(crate) call: OpenCall,
    pub(crate) permit: Option<Permit>,
    pub(crate) token: Option<PresentedToken>,
    pub(crate) request: Option<Repeatable>,
}

/// How messages come.
enum Reading {
    /// They are passed on as they are.
    Plain(Messages),
    /// They are decompressed.
    Gzip(Box<Inflater>),
}

/// What a response's body is held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// The longest message, in bytes.
    pub(crate) max_message: usize,
    /// The most metadata in the trailers, in bytes.
    pub(crate) max_metadata: usize,
    /// Whether exactly one message is due.
    pub(crate) single: bool,
}

impl ResponseBody {
    /// The body of `head`, and what is left of its headers.
    pub(crate) fn new(head: Head, limits: BodyLimits, guard: Guard, held: Held) -> http::Response<Self> {
        let Head { parts, body, first, encoding, .. } = head;
        held.call.headers(&parts.headers);
        let rules = Rules {
            max_size: limits.max_message,
            single: limits.single,
            compressed: encoding != Encoding::Identity,
        };
        let capture = held.call.reporter().capture();
        let reading = match encoding {
            Encoding::Gzip => Reading::Gzip(Box::new(Inflater::new(rules, capture))),
            Encoding::Identity | Encoding::Foreign => Reading::Plain(Messages::new(rules, capture)),
        };
        let http_status = parts.status;
        let mut body = Self {
            source: Some(body),
            first: None,
            reading,
            rest: Bytes::new(),
            failure: None,
            guard,
            http_status,
            limits,
            held,
        };
        match first {
            First::Unread => {}
            First::Frame(frame) => body.first = Some(frame),
            // The status is here, and nobody may read the body.
            First::None => body.end(&status_of(&parts.headers), &HeaderMap::new()),
        }
        http::Response::from_parts(parts, body)
    }

    fn fail(&mut self, status: Status) -> Polled {
        self.end(&status, &HeaderMap::new());
        Poll::Ready(Some(Err(status)))
    }

    fn end(&mut self, status: &Status, trailers: &HeaderMap) {
        self.source = None;
        self.held.permit = None;
        self.held.request = None;
        if let Some(token) = self.held.token.take().filter(|_| status.code() == Code::Unauthenticated) {
            token.was_refused();
        }
        self.held.call.end(status.code(), status.message(), trailers);
    }

    /// Bytes of messages came.
    fn data(&mut self, mut data: Bytes) {
        let reporter = self.held.call.reporter();
        match &mut self.reading {
            Reading::Plain(messages) => {
                if let Err(broken) =
                    messages.scan(&data, |message| reporter.report(Told::MessageReceived(message)))
                {
                    self.failure = Some(broken.error);
                    data.truncate(broken.good);
                }
                self.rest = data;
            }
            Reading::Gzip(inflater) => inflater.feed(&data),
        }
    }

    fn trailers(&mut self, mut trailers: HeaderMap) -> Polled {
        if status::drop_malformed_details(&mut trailers) {
            warn_of_details(self.held.call.reporter());
        }
        if let Err(error) = self.judge(&trailers) {
            return self.fail(error.into());
        }
        let status = status_of(&trailers);
        self.end(&status, &trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn judge(&self, trailers: &HeaderMap) -> Result<(), Error> {
        check_metadata(trailers, self.limits.max_metadata)?;
        let Some(status) = status::of_headers(trailers) else {
            return Err(Error::Protocol { reason: "its trailers name no status".to_owned() });
        };
        if status.code() != Code::Ok {
            return Ok(());
        }
        let (count, place) = self.progress();
        match count {
            _ if place == "inside a message" => Err(Error::Truncated { place }),
            0 if self.limits.single => Err(Error::Cardinality { found: MessageCount::Zero }),
            _ => Ok(()),
        }
    }

    fn ended_without_trailers(&mut self) -> Polled {
        let (_, place) = self.progress();
        let error = if self.http_status.is_success() {
            Error::Truncated { place }
        } else {
            Error::Http { status: self.http_status.as_u16() }
        };
        self.fail(error.into())
    }

    fn progress(&self) -> (u64, &'static str) {
        match &self.reading {
            Reading::Plain(messages) => (messages.count(), messages.place()),
            Reading::Gzip(inflater) => (inflater.count(), inflater.place()),
        }
    }

    /// The next of what is decompressed, `Ready(None)` when more has to come first.
    fn poll_inflater(&mut self, cx: &mut Context<'_>) -> Polled {
        let Reading::Gzip(inflater) = &mut self.reading else { return Poll::Ready(None) };
        let reporter = self.held.call.reporter();
        match ready!(inflater.poll(cx, |message| reporter.report(Told::MessageReceived(message)))) {
            Some(Ok(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Some(Err(error)) => self.fail(error.into()),
            None => Poll::Ready(None),
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Polled {
        if let Some(frame) = self.first.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match &mut self.source {
            Some(source) => Pin::new(source).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        if this.source.is_some()
            && let Err(error) = this.guard.check()
        {
            return this.fail(error.into());
        }
        while this.source.is_some() {
            if !this.rest.is_empty() {
                let piece = this.rest.split_to(this.rest.len().min(PIECE));
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if let Some(error) = this.failure.take() {
                return this.fail(error.into());
            }
            let polled = match this.poll_inflater(cx) {
                Poll::Ready(None) => this.poll_source(cx),
                inflated => {
                    if inflated.is_ready() {
                        this.guard.heard();
                        return inflated;
                    }
                    Poll::Pending
                }
            };
            let Poll::Ready(frame) = polled else {
                let error = ready!(this.guard.poll(cx));
                return this.fail(error.into());
            };
            this.guard.heard();
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => this.data(data),
                Some(Ok(Err(frame))) => return this.trailers(frame.into_trailers().unwrap_or_default()),
                Some(Err(status)) => return this.fail(status),
                None => return this.ended_without_trailers(),
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.source.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

/// The status in `headers`, for the record; `tonic` reads its own.
fn status_of(headers: &HeaderMap) -> Status {
    status::of_headers(headers).unwrap_or_else(|| Status::unknown("the response names no status"))
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("http_status", &self.http_status).finish_non_exhaustive()
    }
}
