//! Notices a call that waits because too many others are open.
//!
//! Over HTTP/1.1 a browser opens [`PER_HOST`] connections to a host, and every open response holds one. A seventh
//! call is not refused, it waits, and nothing says why.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::observe::{CallEventKind, Reporter};
use crate::timer::sleep;

/// How many HTTP/1.1 connections a browser has to one host. All of today's browsers agree.
const PER_HOST: usize = 6;

/// How long the head of a response may take before the number of open calls is suspected.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    /// How many calls are open, by origin.
    static OPEN: RefCell<BTreeMap<String, usize>> = RefCell::default();
    /// The origins that the console has been told of.
    static TOLD: RefCell<BTreeSet<String>> = RefCell::default();
}

/// A call that holds a connection, or waits for one, until this is dropped.
pub(super) struct OpenCall {
    origin: String,
}

impl OpenCall {
    pub(super) fn new(origin: &str) -> Self {
        OPEN.with_borrow_mut(|open| match open.get_mut(origin) {
            Some(count) => *count += 1,
            None => drop(open.insert(origin.to_owned(), 1)),
        });
        Self { origin: origin.to_owned() }
    }

    /// Waits for `response`, and warns when it is likely that it waits for a connection.
    pub(super) async fn watch(
        &self,
        response: JsFuture,
        reporter: Option<&Reporter>,
    ) -> Result<JsValue, JsValue> {
        if self.others() < PER_HOST {
            return response.await;
        }
        match select(response, pin!(sleep(PATIENCE))).await {
            Either::Left((response, _)) => response,
            Either::Right(((), response)) => {
                if self.others() >= PER_HOST && is_http_1(&self.origin) {
                    self.warn(reporter);
                }
                response.await
            }
        }
    }

    fn others(&self) -> usize {
        OPEN.with_borrow(|open| open.get(&self.origin).copied().unwrap_or_default().saturating_sub(1))
    }

    fn warn(&self, reporter: Option<&Reporter>) {
        let text = format!(
            "a call to {} waits because {} others are open: browsers allow {PER_HOST} HTTP/1.1 connections per \
             host, and an open stream holds one; serve it over HTTP/2, for which browsers need TLS, or keep \
             fewer streams open",
            self.origin,
            self.others()
        );
        if TOLD.with_borrow_mut(|told| told.insert(self.origin.clone())) {
            web_sys::console::warn_1(&JsValue::from_str(&text));
        }
        if let Some(reporter) = reporter {
            reporter.report(|| CallEventKind::Warning { text });
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(|open| {
            if let Some(count) = open.get_mut(&self.origin) {
                *count -= 1;
                if *count == 0 {
                    open.remove(&self.origin);
                }
            }
        });
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
