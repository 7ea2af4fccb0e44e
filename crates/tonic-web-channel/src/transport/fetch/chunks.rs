//! The bytes of a response, as its stream's reader gives them.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};
use send_wrapper::SendWrapper;
use tonic::Status;
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;
use web_sys::{ReadableStream, ReadableStreamDefaultReader};

use super::abort::Abort;
use super::connections::OpenCall;
use super::js::{self, ReadResult};
use crate::error::Error;
use crate::js::message;

/// Reads one response. Dropped before its end, it aborts the request.
pub(super) struct Chunks {
    /// None when there is no body, or at its end.
    reads: Option<SendWrapper<Reads>>,
    abort: SendWrapper<Abort>,
    /// Counted as long as the connection is in use.
    open: Option<SendWrapper<OpenCall>>,
}

impl Chunks {
    /// `body` is null for some responses without one.
    pub(super) fn new(body: Option<ReadableStream>, abort: Abort, open: OpenCall) -> Result<Self, Error> {
        let reads = body.map(|body| Reads::new(&body)).transpose().map_err(|error| lost(&error))?;
        let (reads, abort) = (reads.map(SendWrapper::new), SendWrapper::new(abort));
        Ok(Self { reads, abort, open: Some(SendWrapper::new(open)) })
    }

    fn end(&mut self) {
        self.reads = None;
        self.open = None;
        self.abort.complete();
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(reads) = &mut self.reads else {
            self.end();
            return Poll::Ready(None);
        };
        let Poll::Ready(read) = reads.poll(cx) else { return Poll::Pending };
        match read {
            Ok(Some(chunk)) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            Ok(None) => {
                self.end();
                Poll::Ready(None)
            }
            Err(error) => {
                self.end();
                Poll::Ready(Some(Err(lost(&error).into())))
            }
        }
    }
}

fn lost(thrown: &JsValue) -> Error {
    // An `AbortError` too: whoever reads has not aborted it, so the browser has, as when the page is left.
    Error::ConnectionLost { reason: message(thrown) }
}

/// A chunk, the end, or what was thrown.
type Read = Result<Option<Bytes>, JsValue>;

/// One read after the other.
///
/// A stream of small chunks has many reads, so each is one call into JavaScript and one back: the functions that
/// take the results are made once, and are not one future's.
struct Reads {
    reader: ReadableStreamDefaultReader,
    slot: Rc<RefCell<Slot>>,
    /// None only while it is dropped.
    handlers: Option<Handlers>,
}

struct Handlers {
    on_read: Closure<dyn FnMut(ReadResult)>,
    on_error: Closure<dyn FnMut(JsValue)>,
}

/// Where a result waits for whoever polls.
#[derive(Default)]
struct Slot {
    /// A read has been asked for and has not been answered.
    pending: bool,
    answer: Option<Read>,
    waker: Option<Waker>,
}

impl Reads {
    fn new(body: &ReadableStream) -> Result<Self, JsValue> {
        let slot = Rc::new(RefCell::new(Slot::default()));
        let (read, error) = (Rc::clone(&slot), Rc::clone(&slot));
        let handlers = Handlers {
            on_read: Closure::new(move |result: ReadResult| answer(&read, Ok(result.chunk()))),
            on_error: Closure::new(move |thrown| answer(&error, Err(thrown))),
        };
        let reader = ReadableStreamDefaultReader::new(body)?;
        Ok(Self { reader, slot, handlers: Some(handlers) })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        let mut slot = self.slot.borrow_mut();
        if let Some(answer) = slot.answer.take() {
            return Poll::Ready(answer);
        }
        if !slot.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            slot.waker = Some(cx.waker().clone());
        }
        if !slot.pending
            && let Some(handlers) = &self.handlers
        {
            slot.pending = true;
            js::read(&self.reader).settle(&handlers.on_read, &handlers.on_error);
        }
        Poll::Pending
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        // The answer to a read is still to come, and must find its handler. JavaScript frees it afterwards.
        if self.slot.borrow().pending
            && let Some(handlers) = self.handlers.take()
        {
            drop(handlers.on_read.into_js_value());
            drop(handlers.on_error.into_js_value());
        }
    }
}

fn answer(slot: &RefCell<Slot>, answer: Read) {
    let waker = {
        let mut slot = slot.borrow_mut();
        slot.pending = false;
        slot.answer = Some(answer);
        slot.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}
