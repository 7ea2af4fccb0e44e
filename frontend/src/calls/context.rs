//! The calls as a context: their log, and whether the panel is shown.

use std::{collections::VecDeque, time::Duration};

use grpc_inspect::frame::FrameBuffer;
use leptos::prelude::*;

use super::log::{CallLog, CallRecord, Note};

/// Shortest time between two drawings of the open panel. Calls may report thousands of messages a second.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// The page's calls and their panel. All copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Calls {
    log: StoredValue<CallLog>,
    version: RwSignal<u64>,
    redraw_is_due: StoredValue<bool>,
    open: RwSignal<bool>,
}

impl Calls {
    fn new() -> Calls {
        Calls {
            log: StoredValue::new(CallLog::default()),
            version: RwSignal::new(0),
            redraw_is_due: StoredValue::new(false),
            open: RwSignal::new(false),
        }
    }

    /// Collects an event of the channel.
    pub(crate) fn observe(self, event: &tonic_web_channel::observe::CallEvent) {
        self.log.update_value(|log| log.apply(event.call, event.at, &event.kind));
        self.redraw();
    }

    /// Whether the panel is shown.
    pub(crate) fn is_open(self) -> bool {
        self.open.get()
    }

    /// Shows or hides the panel.
    pub(crate) fn toggle(self) {
        self.open.update(|open| *open = !*open);
    }

    /// Hides the panel.
    pub(super) fn close(self) {
        self.open.set(false);
    }

    /// Drops the calls that have ended.
    pub(super) fn clear(self) {
        self.log.update_value(CallLog::clear_ended);
        self.version.update(|version| *version += 1);
    }

    /// The ids of the calls, newest first.
    pub(super) fn ids(self) -> Vec<u64> {
        self.version.track();
        self.log.with_value(|log| log.records().rev().map(|record| record.id).collect())
    }

    pub(super) fn record(self, id: u64) -> Option<CallRecord> {
        self.version.track();
        self.log.with_value(|log| log.get(id).cloned())
    }

    pub(super) fn frames(self, id: u64) -> FrameBuffer {
        self.version.track();
        self.log.with_value(|log| log.frames(id).cloned()).unwrap_or_default()
    }

    pub(super) fn notes(self, id: u64) -> VecDeque<Note> {
        self.version.track();
        self.log.with_value(|log| log.notes(id).cloned()).unwrap_or_default()
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
