//! Notices a call that waits because too many others are open.
//!
//! Over HTTP/1.1 a browser opens [`PER_HOST`] connections to a host, and every open response holds one. A seventh
//! call is not refused, it waits, and nothing says why.

use std::cell::{Cell, RefCell};
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::observe::{EventRef, Reporter};
use crate::timer::Sleep;

/// How many HTTP/1.1 connections a browser has to one host. All of today's browsers agree.
const PER_HOST: usize = 6;

/// How long the head of a response may take before the number of open calls is suspected.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    /// One for each origin: a page has one or two. They stay as long as the page does.
    static ALL: RefCell<Vec<Rc<Connections>>> = RefCell::default();
}

/// What this thread has open to one origin, whichever channel opened it.
pub(super) struct Connections {
    origin: String,
    /// Calls whose responses have not ended.
    open: Cell<usize>,
    /// Whether the console has been told.
    told: Cell<bool>,
}

impl Connections {
    pub(super) fn to(origin: &str) -> Rc<Self> {
        ALL.with_borrow_mut(|all| {
            if let Some(known) = all.iter().find(|one| one.origin == origin) {
                return Rc::clone(known);
            }
            let new = Rc::new(Self { origin: origin.to_owned(), open: Cell::new(0), told: Cell::new(false) });
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
        if !self.told.replace(true) {
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

    /// Waits for `response`, and warns when it is likely that it waits for a connection.
    pub(super) async fn watch(
        &self,
        mut response: JsFuture,
        reporter: &Reporter,
    ) -> Result<JsValue, JsValue> {
        let mut patience = (self.others() >= PER_HOST).then(|| Sleep::new(PATIENCE));
        poll_fn(|cx| {
            let polled = Pin::new(&mut response).poll(cx);
            if polled.is_pending()
                && let Some(timer) = &mut patience
                && Pin::new(timer).poll(cx).is_ready()
            {
                patience = None;
                self.suspect(reporter);
            }
            polled
        })
        .await
    }

    fn suspect(&self, reporter: &Reporter) {
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

/// Whether calls to `origin` go over HTTP/1.1: without TLS always, with it when the browser says so of the last
/// request that it has noted. It says nothing of other origins unless they allow it.
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
