//! The calls as a context: their events on the way to the log, and whether the panel is shown.

use std::{collections::VecDeque, time::Duration};

use grpc_inspect::frame::FrameBuffer;
use leptos::{prelude::*, task::spawn_local};
use tonic_web_channel::{
    observe::CallEvent,
    rt::{MaybeSend, MaybeSync},
};
use wasm_bindgen::JsCast;

use super::{
    collector::{self, Collect},
    log::{CallLog, CallRecord, Note},
    types::{FindMethod, Types},
    waiting::WaitingEvents,
};

/// Shortest time between two drawings of the open panel. Calls may report thousands of messages a second.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// The page's calls and their panel. All copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Calls {
    events: StoredValue<Events, LocalStorage>,
    version: RwSignal<u64>,
    redraw_is_due: StoredValue<bool>,
    open: RwSignal<bool>,
    /// Descriptors beside the page's contracts.
    found: StoredValue<Option<FindMethod>>,
}

/// The events so far.
enum Events {
    /// They wait for the collector.
    Waiting(WaitingEvents),
    /// The collector has them.
    Collected(Box<dyn Collect>),
}

impl Calls {
    fn new() -> Calls {
        Calls {
            events: StoredValue::new_local(Events::Waiting(WaitingEvents::default())),
            version: RwSignal::new(0),
            redraw_is_due: StoredValue::new(false),
            open: RwSignal::new(false),
            found: StoredValue::new(None),
        }
    }

    /// Collects the events of a channel.
    pub(crate) fn observer(self) -> impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static {
        move |event| {
            self.events.update_value(|events| match events {
                Events::Waiting(waiting) => waiting.push(event.clone()),
                Events::Collected(collector) => collector.collect(event),
            });
            self.redraw();
        }
    }

    /// Loads the collector, which takes the events so far. Where it cannot be loaded, it is tried again when the panel is opened.
    pub(crate) async fn collect(self) {
        if let Ok(collector) = collector::load().await {
            self.collect_by(collector);
        }
    }

    /// Collects the events by code of the panel's part, which is there.
    pub(super) fn collect_in_panel(self) {
        self.collect_by(collector::new());
    }

    /// Gives the events to `collector`, unless another one has them.
    fn collect_by(self, mut collector: Box<dyn Collect>) {
        self.events.update_value(|events| {
            if let Events::Waiting(waiting) = events {
                for event in std::mem::take(waiting) {
                    collector.collect(&event);
                }
                *events = Events::Collected(collector);
            }
        });
    }

    /// Whether the panel is shown.
    pub(crate) fn is_open(self) -> bool {
        self.open.get()
    }

    /// Shows or hides the panel, for a key: the focus stays unless it was in the panel.
    pub(crate) fn toggle(self) {
        match self.open.get_untracked() {
            true => self.close(),
            false => self.open.set(true),
        }
    }

    /// Shows or hides the panel, for a button: a panel that opens takes the focus.
    pub(crate) fn toggle_with_focus(self) {
        self.toggle();
        if self.open.get_untracked() {
            focus_after_drawing(&["#calls"]);
        }
    }

    /// Hides the panel. A focus inside goes to the button that shows the panel.
    pub(super) fn close(self) {
        let had_focus = document()
            .active_element()
            .is_some_and(|focused| focused.closest("#calls").ok().flatten().is_some());
        self.open.set(false);
        if had_focus {
            focus_after_drawing(&["#calls-button", "#person-button"]);
        }
    }

    /// Decodes calls of methods that the page's contracts lack by other descriptors, the newest ones.
    pub(crate) fn set_found(self, find: FindMethod) {
        self.found.set_value(Some(find));
    }

    /// The types of the method at `/package.Service/Method`.
    pub(super) fn types(self, path: &str) -> Types {
        match Types::of_contract(path) {
            Types::Unknown => {
                let found = self.found.with_value(|find| find.as_ref().and_then(|find| find(path)));
                found.map_or(Types::Unknown, Types::Found)
            }
            known => known,
        }
    }

    /// Drops the calls that have ended.
    pub(super) fn clear(self) {
        self.with_log(CallLog::clear_ended);
        self.version.update(|version| *version += 1);
    }

    /// The ids of the calls, newest first.
    pub(super) fn ids(self) -> Vec<u64> {
        self.version.track();
        self.with_log(|log| log.records().rev().map(|record| record.id).collect()).unwrap_or_default()
    }

    pub(super) fn record(self, id: u64) -> Option<CallRecord> {
        self.version.track();
        self.with_log(|log| log.get(id).cloned()).flatten()
    }

    pub(super) fn frames(self, id: u64) -> FrameBuffer {
        self.version.track();
        self.with_log(|log| log.frames(id).cloned()).flatten().unwrap_or_default()
    }

    pub(super) fn notes(self, id: u64) -> VecDeque<Note> {
        self.version.track();
        self.with_log(|log| log.notes(id).cloned()).flatten().unwrap_or_default()
    }

    /// Reads or changes the log; `None` before there is a collector.
    fn with_log<T>(self, act: impl FnOnce(&mut CallLog) -> T) -> Option<T> {
        let result = self.events.try_update_value(|events| match events {
            Events::Waiting(_) => None,
            Events::Collected(collector) => Some(act(collector.log())),
        });
        result.flatten()
    }

    fn redraw(self) {
        if !self.open.get_untracked() || self.redraw_is_due.get_value() {
            return;
        }
        self.redraw_is_due.set_value(true);
        set_timeout(
            move || {
                self.redraw_is_due.set_value(false);
                self.version.update(|version| *version += 1);
            },
            REDRAW_INTERVAL,
        );
    }
}

/// Provides the calls as a context. Call once, in the application's root.
pub(crate) fn provide_calls() -> Calls {
    let calls = Calls::new();
    provide_context(calls);
    calls
}

/// The page's calls.
pub(crate) fn use_calls() -> Calls {
    expect_context::<Calls>()
}

/// Focuses the first of these elements that exists, when the changes so far are drawn.
fn focus_after_drawing(selectors: &'static [&'static str]) {
    spawn_local(async move {
        leptos::task::tick().await;
        let mut found = selectors.iter().filter_map(|selector| document().query_selector(selector).ok()?);
        if let Some(element) = found.next().and_then(|found| found.dyn_into::<web_sys::HtmlElement>().ok()) {
            // An element in the document takes the focus.
            element.focus().ok();
        }
    });
}
