//! The messages and trailers of a response, checked as they come from the transport.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body as _, Frame};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::compression::{Encoding, Inflater};
use crate::context::CallContext;
use crate::error::Error;
use crate::idle_timer::IdleTimer;
use crate::limits::check_metadata;
use crate::messages::{Messages, Rules};
use crate::observe::{EventRef, Reporter};
use crate::status;

/// Longest piece that is handed on, in bytes. `tonic` copies it into a buffer that grows to its length, and a browser
/// gives megabytes at a time when messages come faster than they are read.
const MAX_PIECE: usize = 256 * 1024;

/// Reads one response.
pub(crate) struct MessageBody {
    source: Body,
    first: First,
    reading: Reading,
    /// Bytes of valid messages that have not been handed on.
    rest: Bytes,
    /// The error after those bytes.
    failure: Option<Error>,
    idle: Option<IdleTimer>,
    http_status: StatusCode,
    context: CallContext,
}

/// A step of a response.
pub(crate) enum Step {
    /// Bytes of messages, cut anywhere.
    Messages(Bytes),
    /// The end.
    End { status: Status, trailers: HeaderMap },
}

/// The first frame of a body, where it was waited for.
enum First {
    Unread,
    Frame(Frame<Bytes>),
    /// The body has no frame.
    None,
}

enum Reading {
    /// Messages are passed on as they come.
    Plain(Messages),
    Gzip(Box<Inflater>),
}

impl MessageBody {
    pub(super) fn new(
        source: Body,
        http_status: StatusCode,
        encoding: Encoding,
        idle: Option<IdleTimer>,
        context: &CallContext,
    ) -> Self {
        let rules = Rules {
            max_size: context.limits.max_message,
            single: context.expects_one_message(),
            compressed: encoding != Encoding::Identity,
        };
        let capture = if context.reporter.is_observed() { context.limits.capture } else { 0 };
        let reading = match encoding {
            Encoding::Gzip => Reading::Gzip(Box::new(Inflater::new(rules, capture))),
            Encoding::Identity | Encoding::Foreign => Reading::Plain(Messages::new(rules, capture)),
        };
        Self {
            source,
            first: First::Unread,
            reading,
            rest: Bytes::new(),
            failure: None,
            idle,
            http_status,
            context: context.clone(),
        }
    }

    /// Waits for the first frame without taking it; fails when there is none.
    pub(crate) fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let empty = ready!(self.poll_is_empty(cx))?;
        Poll::Ready(if empty { Err(self.without_status().into()) } else { Ok(()) })
    }

    /// Waits for the first frame without taking it. Ready with whether there is none.
    pub(super) fn poll_is_empty(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Status>> {
        while let First::Unread = self.first {
            if self.source.is_end_stream() {
                self.first = First::None;
                break;
            }
            self.first = match ready!(self.poll_source(cx)) {
                Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => continue,
                Some(Ok(frame)) => First::Frame(frame),
                Some(Err(status)) => return Poll::Ready(Err(status)),
                None => First::None,
            };
        }
        Poll::Ready(Ok(matches!(self.first, First::None)))
    }

    /// The trailers, when they are the first frame and it was waited for.
    pub(crate) fn early_trailers(&self) -> Option<&HeaderMap> {
        if let First::Frame(frame) = &self.first { frame.trailers_ref() } else { None }
    }

    /// The next step. Not called again after the end or an error.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, Status>> {
        loop {
            if !self.rest.is_empty() {
                let piece = self.rest.split_to(self.rest.len().min(MAX_PIECE));
                return Poll::Ready(Ok(Step::Messages(piece)));
            }
            if let Some(error) = self.failure.take() {
                return Poll::Ready(Err(error.into()));
            }
            if let Some(bytes) = ready!(self.poll_decompressed(cx))? {
                return Poll::Ready(Ok(Step::Messages(bytes)));
            }
            let frame = match std::mem::replace(&mut self.first, First::Unread) {
                First::Frame(frame) => Some(Ok(frame)),
                First::Unread | First::None => ready!(self.poll_source(cx)),
            };
            match frame.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.read(data),
                Some(Err(frame)) => return Poll::Ready(self.end(frame.into_trailers().unwrap_or_default())),
                None => return Poll::Ready(Err(self.without_status().into())),
            }
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.source).poll_frame(cx);
        match &mut self.idle {
            Some(idle) if polled.is_pending() => idle.poll(cx).map(|error| Some(Err(error.into()))),
            Some(idle) => {
                idle.reset();
                polled
            }
            None => polled,
        }
    }

    /// The next decompressed bytes, `None` when more has to come first.
    fn poll_decompressed(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let Reading::Gzip(inflater) = &mut self.reading else { return Poll::Ready(Ok(None)) };
        let reporter = &self.context.reporter;
        inflater
            .poll(cx, |message| reporter.report(&EventRef::MessageReceived(message)))
            .map(Option::transpose)
    }

    fn read(&mut self, mut data: Bytes) {
        let reporter = &self.context.reporter;
        match &mut self.reading {
            Reading::Plain(messages) => {
                let scanned =
                    messages.scan(&data, |message| reporter.report(&EventRef::MessageReceived(message)));
                if let Err(broken) = scanned {
                    self.failure = Some(broken.error);
                    data.truncate(broken.good);
                }
                self.rest = data;
            }
            Reading::Gzip(inflater) => inflater.feed(&data),
        }
    }

    fn end(&self, mut trailers: HeaderMap) -> Result<Step, Status> {
        drop_malformed_details(&mut trailers, &self.context.reporter);
        let status = self.judge(&trailers)?;
        Ok(Step::End { status, trailers })
    }

    fn judge(&self, trailers: &HeaderMap) -> Result<Status, Error> {
        check_metadata(trailers, self.context.limits.max_metadata)?;
        let Some(status) = status::of_headers(trailers) else {
            return Err(Error::Protocol { reason: "its trailers have no status".to_owned() });
        };
        let (count, place) = self.progress();
        match count {
            _ if status.code() != Code::Ok => Ok(status),
            _ if place == "inside a message" => Err(Error::Truncated { place }),
            0 if self.context.expects_one_message() => Err(Error::Cardinality { found: "none" }),
            _ => Ok(status),
        }
    }

    /// The error of a body that ended without trailers.
    fn without_status(&self) -> Error {
        if self.http_status.is_success() {
            Error::Truncated { place: self.progress().1 }
        } else {
            Error::Http { status: self.http_status.as_u16() }
        }
    }

    fn progress(&self) -> (u64, &'static str) {
        match &self.reading {
            Reading::Plain(messages) => (messages.count(), messages.place()),
            Reading::Gzip(inflater) => (inflater.count(), inflater.place()),
        }
    }
}

/// Removes details that are not base64, because `tonic` panics on them.
pub(super) fn drop_malformed_details(headers: &mut HeaderMap, reporter: &Reporter) {
    if status::drop_malformed_details(headers) {
        let text = "grpc-status-details-bin is not base64; the status is passed on without details";
        reporter.report(&EventRef::Warning(text));
    }
}
