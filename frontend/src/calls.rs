//! Every call of the page: collected here as the channel reports them, shown by the Calls panel.

mod copy;
mod decode;
mod details;
mod frame;
mod frame_view;
mod grpcurl;
mod hex;
mod json;
mod log;
mod messages;
mod metadata;
mod panel;
mod row;

use leptos::prelude::*;
use std::time::Duration;

pub(crate) use self::copy::CodeToCopy;
pub use self::frame::{
    Direction, Frame, Frames, KEPT_FRAME_BYTES, KEPT_FRAMES, KEPT_NOTES, Note, PREFIX_LEN,
};
pub(crate) use self::grpcurl::native_command;
pub use self::log::{CallLog, CallRecord, CallState, Count, KEPT_BYTES, KEPT_CALLS};
#[cfg(target_arch = "wasm32")]
pub(crate) use self::messages::for_devtools;
pub use self::metadata::{Entry, Value};
pub(crate) use self::panel::CallsPanel;
pub(crate) use self::row::duration_text;

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
    pub fn observe(self, event: &tonic_web_channel::observe::CallEvent) {
        self.log.update_value(|log| log.apply(event.call, event.at, &event.kind));
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

    fn frames(self, id: u64) -> Frames {
        self.version.track();
        self.log.with_value(|log| log.frames(id).cloned()).unwrap_or_default()
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
