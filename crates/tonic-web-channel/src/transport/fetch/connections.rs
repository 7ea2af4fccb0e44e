//! Warns of a call that waits because too many others are open.
//!
//! Over HTTP/1.1 a browser opens [`PER_HOST`] connections to a host, and every open response holds one. It delays a
//! seventh call without an error.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::observe::{EventRef, Reporter};
use crate::timer::Sleep;

/// Number of HTTP/1.1 connections that a browser opens to one host. All current browsers agree.
const PER_HOST: usize = 6;

/// Time after which a head is late, so that the number of open calls is a likely cause.
const LATE: Duration = Duration::from_secs(1);

thread_local! {
    /// One entry for each origin: a page has one or two. They stay as long as the page does.
    static ALL: RefCell<Vec<Rc<Connections>>> = RefCell::default();
}

/// The open calls of this thread to one origin, of all channels.
pub(super) struct Connections {
    origin: String,
    /// Number of calls whose responses have not ended.
    open: Cell<usize>,
    /// Whether the console has the warning.
    warned: Cell<bool>,
}

impl Connections {
    pub(super) fn to(origin: &str) -> Rc<Self> {
        ALL.with_borrow_mut(|all| {
            if let Some(known) = all.iter().find(|one| one.origin == origin) {
                return Rc::clone(known);
            }
            let new =
                Rc::new(Self { origin: origin.to_owned(), open: Cell::new(0), warned: Cell::new(false) });
            all.push(Rc::clone(&new));
            new
        })
    }

    /// Scheme and authority.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    fn warn(&self, others: usize, reporter: &Reporter) {
        let text = format!(
            "a call to {} waits because {others} others are open: browsers allow {PER_HOST} HTTP/1.1 connections \
             per host, and an open stream holds one; serve it over HTTP/2, for which browsers need TLS, or keep \
             fewer streams open",
            self.origin,
        );
        if !self.warned.replace(true) {
            web_sys::console::warn_1(&JsValue::from_str(&text));
        }
        reporter.report(&EventRef::Warning(&text));
    }
}

/// A call that holds a connection, or waits for one, until this is dropped.
pub(super) struct OpenCall {
    connections: Rc<Connections>,
}

impl OpenCall {
    pub(super) fn new(connections: &Rc<Connections>) -> Self {
        connections.open.set(connections.open.get() + 1);
        Self { connections: Rc::clone(connections) }
    }

    /// Waits for `head`, and warns when it probably waits for a connection.
    pub(super) async fn watch<T>(&self, head: impl Future<Output = T>, reporter: &Reporter) -> T {
        let mut head = pin!(head);
        let mut late = (self.others() >= PER_HOST).then(|| Sleep::new(LATE));
        poll_fn(|cx| {
            let polled = head.as_mut().poll(cx);
            if polled.is_pending()
                && let Some(timer) = &mut late
                && Pin::new(timer).poll(cx).is_ready()
            {
                late = None;
                self.warn_of_others(reporter);
            }
            polled
        })
        .await
    }

    fn warn_of_others(&self, reporter: &Reporter) {
        let others = self.others();
        if others >= PER_HOST && is_http_1(&self.connections.origin) {
            self.connections.warn(others, reporter);
        }
    }

    fn others(&self) -> usize {
        self.connections.open.get() - 1
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.connections.open.set(self.others());
    }
}

#[wasm_bindgen]
extern "C" {
    type Performance;
    #[wasm_bindgen(thread_local_v2, js_name = performance)]
    static PERFORMANCE: Option<Performance>;
    #[wasm_bindgen(method, js_name = getEntriesByType)]
    fn entries_by_type(this: &Performance, kind: &str) -> js_sys::Array;

    type Entry;
    #[wasm_bindgen(method, getter)]
    fn name(this: &Entry) -> String;
    #[wasm_bindgen(method, getter, js_name = nextHopProtocol)]
    fn next_hop_protocol(this: &Entry) -> Option<String>;
}

/// Whether calls to `origin` go over HTTP/1.1: always without TLS, and with TLS when the last entry of the browser's
/// performance timeline says so, which other origins have to allow.
fn is_http_1(origin: &str) -> bool {
    if origin.starts_with("http:") {
        return true;
    }
    let entries = PERFORMANCE.with(|it| it.as_ref().map(|it| it.entries_by_type("resource")));
    let entries = entries.unwrap_or_default();
    let last = (0..entries.length())
        .rev()
        .map(|at| entries.get(at).unchecked_into::<Entry>())
        .find(|entry| entry.name().starts_with(origin));
    last.and_then(|entry| entry.next_hop_protocol()).is_some_and(|protocol| protocol.starts_with("http/1"))
}
