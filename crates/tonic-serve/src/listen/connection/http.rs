//! HTTP on a connection: its version, by the first bytes, and its requests.
//!
//! A response over HTTP/1.1 that has nothing to send for now leaves hyper, which holds two buffers for each connection and
//! polls all of it for each chunk. It goes on as a [`ChunkedStream`]; at its end the connection returns to hyper.

use std::mem::replace;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::CallExecutor;
use super::activity::{MeteredStream, Socket};
use super::chunked::{BoxError, ChunkedStream};
use super::leaving::LeavingBody;
use super::service::ConnectionService;
use super::yield_once::YieldOnce;
use crate::options::ServeOptions;

/// A connection that serves requests, until it ends.
pub(super) struct HttpConnection<S: Socket> {
    options: Arc<ServeOptions>,
    is_shutting_down: bool,
    state: State<S>,
}

/// The states other than a stream have memory of their own.
#[expect(clippy::large_enum_variant, reason = "most connections wait in a stream, which is the large one")]
enum State<S: Socket> {
    ReadingVersion(Box<Unknown<S>>),
    Http1(Box<Http1<S>>),
    Streaming(ChunkedStream<S>),
    Http2(Box<Http2<S>>, YieldOnce),
    Ended,
}

struct Unknown<S: Socket> {
    stream: MeteredStream<S>,
    service: ConnectionService,
    executor: CallExecutor,
}

struct Http1<S: Socket> {
    connection: http1::UpgradeableConnection<TokioIo<MeteredStream<S>>, ConnectionService>,
    leaving: LeavingBody,
}

type Http2<S> = http2::Connection<TokioIo<MeteredStream<S>>, ConnectionService, CallExecutor>;

impl<S> HttpConnection<S>
where
    S: Socket + AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    /// A connection of either version.
    pub(super) fn new(
        options: &Arc<ServeOptions>,
        stream: MeteredStream<S>,
        service: ConnectionService,
        executor: CallExecutor,
    ) -> Self {
        let state = State::ReadingVersion(Box::new(Unknown { stream, service, executor }));
        Self { options: Arc::clone(options), is_shutting_down: false, state }
    }

    /// A connection of HTTP/2.
    pub(super) fn http2(
        options: &Arc<ServeOptions>,
        stream: MeteredStream<S>,
        service: ConnectionService,
        executor: CallExecutor,
    ) -> Self {
        let state = State::http2(options, stream, service, executor);
        Self { options: Arc::clone(options), is_shutting_down: false, state }
    }

    /// Asks the connection to finish its calls and to close.
    pub(super) fn graceful_shutdown(&mut self) {
        self.is_shutting_down = true;
        match &mut self.state {
            // The first request may be on its way: a client that has just connected does not repeat it.
            State::ReadingVersion(_) => {}
            State::Http1(http1) => Pin::new(&mut http1.connection).graceful_shutdown(),
            State::Streaming(stream) => stream.close_at_end(),
            State::Http2(connection, _) => Pin::new(&mut **connection).graceful_shutdown(),
            State::Ended => {}
        }
    }

    /// Ready when the state has come to its end.
    fn poll_state(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.state {
            State::ReadingVersion(unknown) => unknown.stream.poll_version(cx).map_err(Into::into),
            State::Http1(http1) => match Pin::new(&mut http1.connection).poll(cx) {
                Poll::Ready(ended) => Poll::Ready(ended.map_err(Into::into)),
                Poll::Pending if http1.leaving.is_ready() => Poll::Ready(Ok(())),
                Poll::Pending => Poll::Pending,
            },
            State::Streaming(stream) => stream.poll(cx),
            State::Http2(connection, turn) => turn.poll(Pin::new(&mut **connection), cx).map_err(Into::into),
            State::Ended => Poll::Ready(Ok(())),
        }
    }

    /// The state that follows one that has come to its end.
    fn next(&self, state: State<S>) -> State<S> {
        match state {
            State::ReadingVersion(unknown) => {
                let Unknown { stream, service, executor } = *unknown;
                if stream.activity.may_be_http1() {
                    State::http1(&self.options, stream, service, !self.is_shutting_down)
                } else {
                    let mut http2 = State::http2(&self.options, stream, service, executor);
                    if let State::Http2(connection, _) = &mut http2
                        && self.is_shutting_down
                    {
                        Pin::new(&mut **connection).graceful_shutdown();
                    }
                    http2
                }
            }
            State::Http1(http1) => {
                let Http1 { connection, leaving } = *http1;
                let (Some(body), Some(parts)) = (leaving.take(), connection.into_parts()) else {
                    return State::Ended;
                };
                let mut stream = parts.io.into_inner();
                stream.read_again(&parts.read_buf);
                let mut stream = ChunkedStream::new(stream, parts.service, body);
                if self.is_shutting_down {
                    stream.close_at_end();
                }
                State::Streaming(stream)
            }
            State::Streaming(stream) => match stream.into_parts() {
                Some((stream, service)) => State::http1(&self.options, stream, service, true),
                None => State::Ended,
            },
            State::Http2(..) | State::Ended => State::Ended,
        }
    }
}

impl<S> Future for HttpConnection<S>
where
    S: Socket + AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = Result<(), BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            ready!(self.poll_state(cx))?;
            let ended = replace(&mut self.state, State::Ended);
            self.state = self.next(ended);
            if matches!(self.state, State::Ended) {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S> State<S>
where
    S: Socket + AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    /// `keep_alive`: whether the connection is left open after the next response.
    fn http1(
        options: &ServeOptions,
        stream: MeteredStream<S>,
        service: ConnectionService,
        keep_alive: bool,
    ) -> Self {
        let leaving = LeavingBody::new(&stream.activity);
        let service = service.leaving(leaving.clone());
        let mut builder = options.http1();
        builder.keep_alive(keep_alive);
        let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
        Self::Http1(Box::new(Http1 { connection, leaving }))
    }

    fn http2(
        options: &ServeOptions,
        stream: MeteredStream<S>,
        service: ConnectionService,
        executor: CallExecutor,
    ) -> Self {
        let connection = options.http2(executor).serve_connection(TokioIo::new(stream), service);
        Self::Http2(Box::new(connection), YieldOnce::default())
    }
}
