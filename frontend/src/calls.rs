//! Every call of the page: collected here as the channel reports them, shown by the Calls panel.

mod grpcurl;
mod json;
mod log;
mod metadata;
mod panel;
mod row;

use leptos::prelude::*;
use std::time::Duration;

pub(crate) use self::grpcurl::native_command;
pub(crate) use self::json::{Json, describe_next};
pub use self::log::{CallLog, CallRecord, CallState, Count, KEPT_CALLS};
pub use self::metadata::{Entry, Value};
pub(crate) use self::panel::CallsPanel;
pub(crate) use self::row::{CodeToCopy, duration_text};

/// How often the open panel is drawn anew at most. Calls may report thousands of messages a second.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// The page's calls and whether they are shown.
#[derive(Clone, Copy)]
pub struct Calls {
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

    /// Takes note of what the channel reports.
    pub fn observe(self, event: &channel::CallEvent) {
        let body = match &event.kind {
            channel::CallEventKind::Started { path, .. } => json::take_description(path),
            _ => None,
        };
        self.log.update_value(|log| {
            log.apply(event.call, event.at, &event.kind);
            if let Some(body) = body {
                log.describe(event.call, body);
            }
        });
        self.redraw();
    }

    /// Whether the panel is shown.
    pub fn is_open(self) -> bool {
        self.open.get()
    }

    /// Shows or hides the panel.
    pub fn toggle(self) {
        self.open.update(|open| *open = !*open);
    }

    /// Hides the panel.
    fn close(self) {
        self.open.set(false);
    }

    /// Forgets the calls that have ended.
    fn clear(self) {
        self.log.update_value(CallLog::clear_ended);
        self.version.update(|version| *version += 1);
    }

    /// The calls' numbers, newest first.
    fn ids(self) -> Vec<u64> {
        self.version.track();
        self.log.with_value(|log| log.records().rev().map(|record| record.id).collect())
    }

    fn record(self, id: u64) -> Option<CallRecord> {
        self.version.track();
        self.log.with_value(|log| log.get(id).cloned())
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

/// Puts the calls into the page. Call once, in the application's root.
pub(crate) fn provide_calls() -> Calls {
    let calls = Calls::new();
    provide_context(calls);
    calls
}

/// The page's calls.
pub fn use_calls() -> Calls {
    expect_context::<Calls>()
}
