//! The browser's WebSocket as a stream of bytes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsValue, UnwrapThrowExt as _};

use super::{MAX_MESSAGE, PROTOCOL};
use crate::js::message;

/// The kind of an event, the reason of an end, and bytes. `web_socket.js` describes the events.
type Report = Closure<dyn Fn(u8, Option<String>, Option<Vec<u8>>)>;

#[wasm_bindgen(module = "/src/transport/socket/web_socket.js")]
extern "C" {
    type Handle;
    #[wasm_bindgen(catch)]
    fn open(url: &str, protocol: &str, report: &Report) -> Result<Handle, JsValue>;
    fn send(handle: &Handle, bytes: &[u8]);
    fn close(handle: &Handle);
}

/// Events that were not taken yet.
#[derive(Default)]
struct Events {
    opened: Cell<bool>,
    heard: Arc<AtomicBool>,
    received: RefCell<VecDeque<Bytes>>,
    /// The reason of the end.
    closed: RefCell<Option<String>>,
    waker: Cell<Option<Waker>>,
}

/// An open WebSocket. Closed when dropped.
pub(super) struct WebSocket {
    handle: Handle,
    events: Rc<Events>,
    /// Bytes of the next message.
    unsent: Vec<u8>,
    // JavaScript calls it until the socket is closed.
    _report: Report,
}

impl WebSocket {
    /// Opens a WebSocket to `url`. Sets `heard` whenever bytes come.
    ///
    /// # Errors
    ///
    /// The reason, as far as a browser tells it: it hides why a server or a proxy refused.
    pub(super) async fn connect(url: &str, heard: Arc<AtomicBool>) -> Result<Self, String> {
        let events = Rc::new(Events { heard, ..Events::default() });
        let report = Report::new({
            let events = Rc::clone(&events);
            move |kind, reason, bytes| events.take(kind, reason, bytes)
        });
        let handle = open(url, PROTOCOL, &report).map_err(|thrown| message(&thrown))?;
        let socket = Self { handle, events, unsent: Vec::new(), _report: report };
        poll_fn(|cx| socket.poll_open(cx)).await?;
        Ok(socket)
    }

    fn poll_open(&self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        if let Some(reason) = self.events.closed.borrow().clone() {
            return Poll::Ready(Err(reason));
        }
        if self.events.opened.get() {
            return Poll::Ready(Ok(()));
        }
        self.events.waker.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    fn flush(&mut self) {
        if !self.unsent.is_empty() {
            send(&self.handle, &self.unsent);
            self.unsent.clear();
        }
    }
}

impl Events {
    fn take(&self, kind: u8, reason: Option<String>, bytes: Option<Vec<u8>>) {
        self.heard.store(true, Ordering::Relaxed);
        match kind {
            0 => self.opened.set(true),
            1 => self.received.borrow_mut().push_back(bytes.unwrap_throw().into()),
            _ => *self.closed.borrow_mut() = reason,
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        self.flush();
        close(&self.handle);
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let events = &self.events;
        let mut received = events.received.borrow_mut();
        if received.is_empty() {
            if let Some(reason) = events.closed.borrow().as_ref() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, reason.clone())));
            }
            events.waker.set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        while let Some(first) = received.front_mut()
            && buf.remaining() > 0
        {
            let length = first.len().min(buf.remaining());
            buf.put_slice(&first[..length]);
            first.advance(length);
            if first.is_empty() {
                received.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Bytes wait for a flush, so that one message has all that a turn of the connection writes. The server's flow control
/// bounds what the browser has to hold.
impl AsyncWrite for WebSocket {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.unsent.extend_from_slice(bytes);
        if self.unsent.len() >= MAX_MESSAGE {
            self.flush();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        close(&self.handle);
        Poll::Ready(Ok(()))
    }
}
