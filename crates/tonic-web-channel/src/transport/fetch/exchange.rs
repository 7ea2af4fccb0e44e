//! The exchange of one call with JavaScript: the request out, the head and the body in.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use grpc_wire::web::trailers;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame};
use send_wrapper::SendWrapper;
use tonic::Status;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;

use super::Cookies;
use super::connections::OpenCall;
use crate::error::Error;

/// The id of a call, an HTTP status, a text, bytes, and whether the call is over. `exchange.js` describes the events.
type Report = Closure<dyn Fn(u32, i32, Option<String>, Option<Vec<u8>>, bool)>;

#[wasm_bindgen(module = "/src/transport/fetch/exchange.js")]
extern "C" {
    type Call;
    fn start(
        url: &str,
        fields: &str,
        body: &[u8],
        credentials: u8,
        gather: bool,
        id: u32,
        report: &Report,
    ) -> Call;
    fn read(call: &Call);
    fn abort(call: &Call);
    /// Whether the browser is certain that there is no network.
    pub(super) fn offline() -> bool;
}

thread_local! {
    /// One function for all calls: to make one costs more than to call it.
    static REPORT: Report = Closure::new(report);
    /// The open calls by their ids. A place that is free is used again.
    static CALLS: RefCell<Vec<Option<Rc<Shared>>>> = const { RefCell::new(Vec::new()) };
}

/// The events of one call that its task has not taken yet.
#[derive(Default)]
struct Shared {
    /// The HTTP status and the headers.
    head: Cell<Option<(u16, String)>>,
    chunks: RefCell<VecDeque<Bytes>>,
    failure: Cell<Option<String>>,
    over: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

/// A request that was sent. Dropped before its end, it is aborted.
pub(super) struct Exchange {
    call: Call,
    id: u32,
    shared: Rc<Shared>,
}

impl Exchange {
    /// Sends a request. `gather` lets the head wait a moment for the end of a short body.
    pub(super) fn start(url: &str, headers: &HeaderMap, body: &[u8], cookies: Cookies, gather: bool) -> Self {
        let shared = Rc::<Shared>::default();
        let id = register(&shared);
        let call =
            REPORT.with(|report| start(url, &fields(headers), body, cookies as u8, gather, id, report));
        Self { call, id, shared }
    }

    /// The head of the response, or the reason why none came.
    pub(super) fn poll_head(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Result<Response<()>, Error>, String>> {
        if let Some((status, headers)) = self.shared.head.take() {
            return Poll::Ready(Ok(head(status, &headers)));
        }
        if let Some(reason) = self.shared.failure.take() {
            return Poll::Ready(Err(reason));
        }
        self.shared.waker.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// The next chunk, `None` at the end, or the reason of a failure.
    fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, String>>> {
        let shared = &self.shared;
        if let Some(chunk) = shared.chunks.borrow_mut().pop_front() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        if let Some(reason) = shared.failure.take() {
            return Poll::Ready(Some(Err(reason)));
        }
        if shared.over.get() {
            return Poll::Ready(None);
        }
        shared.waker.set(Some(cx.waker().clone()));
        read(&self.call);
        Poll::Pending
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.shared.over.get() {
            abort(&self.call);
        }
        CALLS.with_borrow_mut(|calls| calls[self.id as usize] = None);
    }
}

/// The body of a response. Dropped before its end, it aborts the request.
pub(super) struct FetchBody {
    /// `None` at the end. The connection is in use until then.
    exchange: Option<SendWrapper<(Exchange, OpenCall)>>,
}

impl FetchBody {
    pub(super) fn new(exchange: Exchange, open: OpenCall) -> Self {
        Self { exchange: Some(SendWrapper::new((exchange, open))) }
    }
}

impl Body for FetchBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(exchange) = &self.exchange else { return Poll::Ready(None) };
        let Poll::Ready(chunk) = exchange.0.poll_chunk(cx) else { return Poll::Pending };
        if let Some(Ok(chunk)) = chunk {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        self.exchange = None;
        // Also an abort by the browser, as when the page is left: this side has not aborted a body that it reads.
        Poll::Ready(chunk.and_then(Result::err).map(|reason| Err(Error::ConnectionLost { reason }.into())))
    }
}

fn register(shared: &Rc<Shared>) -> u32 {
    CALLS.with_borrow_mut(|calls| {
        let id = calls.iter().position(Option::is_none).unwrap_or_else(|| {
            calls.push(None);
            calls.len() - 1
        });
        calls[id] = Some(Rc::clone(shared));
        id as u32
    })
}

/// Takes an event from JavaScript.
fn report(id: u32, status: i32, text: Option<String>, chunk: Option<Vec<u8>>, over: bool) {
    let shared = CALLS.with_borrow(|calls| calls.get(id as usize).cloned().flatten());
    let Some(shared) = shared else { return };
    match (u16::try_from(status), text) {
        (Err(_), reason) => shared.failure.set(reason),
        (Ok(status), Some(headers)) => shared.head.set(Some((status, headers))),
        (Ok(_), None) => {}
    }
    if let Some(chunk) = chunk {
        shared.chunks.borrow_mut().push_back(chunk.into());
    }
    shared.over.set(over);
    if let Some(waker) = shared.waker.take() {
        waker.wake();
    }
}

/// Lines of names and values. Repeated headers are repeated, and `fetch` joins them.
fn fields(headers: &HeaderMap) -> String {
    let mut fields = String::new();
    for (name, value) in headers {
        fields.push_str(name.as_str());
        fields.push('\n');
        // JavaScript has each byte of a value as the character of that number.
        fields.extend(value.as_bytes().iter().copied().map(char::from));
        fields.push('\n');
    }
    fields
}

/// The head of a response, whose headers are lines of `name:value`.
fn head(status: u16, headers: &str) -> Result<Response<()>, Error> {
    let malformed = || Error::Protocol { reason: "a header is malformed".into() };
    let bytes: Result<Vec<u8>, _> = headers.chars().map(u8::try_from).collect();
    let mut head = Response::new(());
    *head.headers_mut() = trailers::parse(&bytes.map_err(|_| malformed())?).map_err(|_| malformed())?;
    *head.status_mut() = StatusCode::from_u16(status)
        .map_err(|_| Error::Protocol { reason: "it has no HTTP status".into() })?;
    Ok(head)
}
