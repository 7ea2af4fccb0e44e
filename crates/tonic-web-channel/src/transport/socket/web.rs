//! The browser's WebSocket.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsValue, UnwrapThrowExt as _};

use super::PROTOCOL;
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
    /// Opens a WebSocket to `url`.
    ///
    /// # Errors
    ///
    /// The reason, as far as a browser tells it: it hides why a server or a proxy refused.
    pub(super) async fn connect(url: &str) -> Result<Self, String> {
        let events = Rc::<Events>::default();
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

    /// The next message, or the reason of the end.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, String>> {
        if let Some(bytes) = self.events.received.borrow_mut().pop_front() {
            return Poll::Ready(Ok(bytes));
        }
        if let Some(reason) = self.events.closed.borrow().clone() {
            return Poll::Ready(Err(reason));
        }
        self.events.waker.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// A browser takes every message. The server's windows bound what it has to hold.
    pub(super) fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), String>> {
        Poll::Ready(Ok(()))
    }

    /// The bytes of the next message.
    pub(super) fn unsent(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    /// Sends the next message, if it has any bytes.
    pub(super) fn send(&mut self) -> Result<(), String> {
        if !self.unsent.is_empty() {
            send(&self.handle, &self.unsent);
            self.unsent.clear();
        }
        Ok(())
    }

    /// Sends the last bytes, which `write` gives. The socket is closed when it is dropped.
    pub(super) fn poll_close(
        &mut self,
        _: &mut Context<'_>,
        write: impl Fn(&mut Vec<u8>),
    ) -> Poll<Result<(), String>> {
        write(&mut self.unsent);
        Poll::Ready(self.send())
    }
}

impl Events {
    fn take(&self, kind: u8, reason: Option<String>, bytes: Option<Vec<u8>>) {
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
        close(&self.handle);
    }
}
