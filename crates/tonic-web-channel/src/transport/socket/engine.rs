//! The client's half of HTTP/2, without input and output: it takes the server's bytes, and gives those for the server.
//!
//! Owns the state of a connection and its calls, and the wakers of the tasks that wait for them. `calls` has what a
//! call asks for, `receive` reads, `write` writes. Nothing here knows gRPC, WebSockets or clocks.
//!
//! - No queue grows without a bound: unread bytes are bounded by the windows, unsent ones by the server's windows, and
//!   frames without content by [`MAX_QUIET_FRAMES`].
//! - Frames of calls that are over are ignored, so no such call is remembered.
//!
//! Specification: RFC 9113.

mod calls;
mod flow;
mod frame;
mod hpack;
mod receive;
mod stream;
mod streams;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests;
mod turns;
mod write;

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;

pub(super) use self::calls::Refusal;
use self::flow::{INITIAL_WINDOW, ReceiveWindow, SendWindow};
use self::frame::{DEFAULT_MAX_FRAME, FrameReader, MAX_31_BITS, setting};
pub(super) use self::stream::{Failure, Part};
use self::streams::Streams;
use crate::transport::http2::ErrorCode;

/// The longest frame that is accepted: a message of 64 KiB with what stands around it. DATA is passed on as it comes, and a
/// longer frame costs the server fewer turns.
const MAX_FRAME: u32 = 65 * 1024;

/// Concurrent calls until the server's settings have come. HTTP/2 recommends that servers allow no fewer.
const INITIAL_MAX_STREAMS: usize = 100;

/// The most frames that carry nothing between two that do, or between two calls of [`Engine::tick`]. More end the
/// connection.
const MAX_QUIET_FRAMES: i64 = 1_000;

/// The frames that may come for nothing after a call was cancelled, because they were on their way.
const LATE_FRAMES: i64 = 8;

/// The most CONTINUATION frames of one header block. More end the connection.
const MAX_CONTINUATIONS: u32 = 128;

/// Bytes of frames other than DATA that wait to be sent, above which no call is begun.
const MAX_CONTROL: usize = 64 * 1024;

/// The most bytes of a server's explanation in GOAWAY that errors repeat.
const MAX_DEBUG: usize = 200;

/// The payload of pings.
const PING: [u8; 8] = *b"are you?";

/// Limits of a connection, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Unread bytes of a call.
    pub(super) stream_window: u32,
    /// Unread bytes of all calls together.
    pub(super) connection_window: u32,
    /// Headers of a response, and its trailers, each with 32 bytes for every field.
    pub(super) max_headers: u32,
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Engine {
    limits: Limits,
    reader: FrameReader,
    /// A header block that is not whole.
    block: Option<Block>,
    streams: Streams,
    /// Frames other than DATA, to be sent before it.
    control: Vec<u8>,
    /// The calls that have DATA to send, in the order of their turns.
    sending: VecDeque<u32>,
    send_window: SendWindow,
    receive_window: ReceiveWindow,
    /// The send window of a new call.
    initial_window: u32,
    /// The longest frame that the server accepts.
    max_frame: usize,
    has_settings: bool,
    /// Frames that carried nothing, less those that are expected of calls that were cancelled.
    quiet_frames: i64,
    is_pinged: bool,
    pinging: Option<Waker>,
    /// The server's reason for taking no more calls.
    goodbye: Option<String>,
    end: Option<String>,
    driver: Option<Waker>,
}

/// The part of a header block that has come.
#[derive(Debug)]
struct Block {
    stream: u32,
    bytes: BytesMut,
    is_last: bool,
    continuations: u32,
}

impl Engine {
    pub(super) fn new(limits: Limits) -> Self {
        let stream_window = limits.stream_window.min(MAX_31_BITS);
        let connection_window = limits.connection_window.min(MAX_31_BITS);
        let mut engine = Self {
            limits: Limits { stream_window, connection_window, ..limits },
            reader: FrameReader::new(MAX_FRAME),
            block: None,
            streams: Streams::new(INITIAL_MAX_STREAMS),
            control: frame::PREFACE.to_vec(),
            sending: VecDeque::new(),
            send_window: SendWindow::new(INITIAL_WINDOW),
            receive_window: ReceiveWindow::new(connection_window, INITIAL_WINDOW),
            initial_window: INITIAL_WINDOW,
            max_frame: DEFAULT_MAX_FRAME as usize,
            has_settings: false,
            quiet_frames: 0,
            is_pinged: false,
            pinging: None,
            goodbye: None,
            end: None,
            driver: None,
        };
        let settings = [
            (setting::HEADER_TABLE_SIZE, 0),
            (setting::ENABLE_PUSH, 0),
            (setting::INITIAL_WINDOW_SIZE, stream_window),
            (setting::MAX_FRAME_SIZE, MAX_FRAME),
            (setting::MAX_HEADER_LIST_SIZE, limits.max_headers),
        ];
        frame::put_settings(&mut engine.control, &settings);
        engine.announce();
        engine
    }

    /// Has `waker` woken, once, when there is something to write, or the connection is done.
    pub(super) fn set_driver(&mut self, waker: Option<Waker>) {
        self.driver = waker;
    }

    /// Whether calls can be made.
    pub(super) fn takes_calls(&self) -> bool {
        !self.streams.turns.is_closed()
    }

    /// Whether a call is open, or its response was not read to its end.
    pub(super) fn has_calls(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Takes no more calls. The connection is done with the last of those that are open.
    pub(super) fn close(&mut self) {
        self.streams.turns.close();
        self.wake_driver();
    }

    /// The reason of the end when the connection is of no more use.
    pub(super) fn done(&self) -> Option<String> {
        if let Some(reason) = &self.end {
            return Some(reason.clone());
        }
        let is_done = self.streams.turns.is_closed() && self.streams.turns.is_unused();
        is_done.then(|| self.reason())
    }

    /// The reason for which the connection has ended, or takes no more calls.
    pub(super) fn reason(&self) -> String {
        let reason = self.end.as_ref().or(self.goodbye.as_ref());
        reason.cloned().unwrap_or_else(|| "the connection was given up".to_owned())
    }

    /// Ends the connection, and all its calls. The first reason counts; the server's own more than that the connection
    /// was lost.
    pub(super) fn end(&mut self, code: ErrorCode, reason: String) {
        if self.end.is_some() {
            return;
        }
        frame::put_go_away(&mut self.control, code, "");
        let goodbye = if code == ErrorCode::NO_ERROR { self.goodbye.clone() } else { None };
        self.end = Some(goodbye.unwrap_or(reason));
        self.streams.turns.close();
        for id in self.streams.ids() {
            self.streams.change(id, |stream| stream.fail(Failure::Lost));
        }
        self.sending.clear();
        self.wake_driver();
    }

    /// Forgets the frames without content that have come, if those were answered. Called from time to time, so that a
    /// connection without calls can be pinged for ever.
    pub(super) fn tick(&mut self) {
        if self.control.is_empty() {
            self.quiet_frames = self.quiet_frames.min(0);
        }
    }

    /// Asks the server for a sign of life.
    pub(super) fn ping(&mut self) {
        self.is_pinged = true;
        frame::put_ping(&mut self.control, PING, false);
        self.wake_driver();
    }

    /// Waits for the answer.
    pub(super) fn poll_pong(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_pinged {
            return Poll::Ready(());
        }
        self.pinging = Some(cx.waker().clone());
        Poll::Pending
    }

    #[cfg(test)]
    #[cfg(not(target_arch = "wasm32"))]
    fn is_at_rest(&self) -> bool {
        self.receive_window.is_empty() && self.streams.turns.is_unused()
    }

    /// Tells the server that the connection's window has opened, if it has by enough.
    fn announce(&mut self) {
        if let Some(increment) = self.receive_window.update() {
            frame::put_window_update(&mut self.control, 0, increment);
            self.wake_driver();
        }
    }

    fn wake_driver(&mut self) {
        if let Some(waker) = self.driver.take() {
            waker.wake();
        }
    }
}
