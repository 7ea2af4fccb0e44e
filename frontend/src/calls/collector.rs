//! The events of the channel's calls on their way to everything that shows them: the log of the panel, and the browser's own tools. A part of
//! the page, which is loaded after its start.

use tonic_web_channel::observe::CallEvent;

use super::log::CallLog;
use crate::chunk::NotLoaded;

/// Takes events, and has the log that they make.
pub(super) trait Collect {
    /// Takes an event.
    fn collect(&mut self, event: &CallEvent);

    /// The log.
    fn log(&mut self) -> &mut CallLog;
}

/// Loads the code, and makes a collector without events.
#[cfg(feature = "split")]
#[wasm_split_helpers::wasm_split(calls, fallible)]
pub(super) fn load() -> Result<Box<dyn Collect>, NotLoaded> {
    Ok(new())
}

/// Makes a collector without events.
#[cfg(not(feature = "split"))]
pub(super) async fn load() -> Result<Box<dyn Collect>, NotLoaded> {
    Ok(new())
}

/// A collector without events, for code of the same part.
pub(super) fn new() -> Box<dyn Collect> {
    Box::new(Collector { log: CallLog::default(), tools: browser_tools() })
}

struct Collector<T> {
    log: CallLog,
    tools: T,
}

impl<T: Fn(&CallEvent)> Collect for Collector<T> {
    fn collect(&mut self, event: &CallEvent) {
        self.log.apply(event.call, event.at, &event.kind);
        (self.tools)(event);
    }

    fn log(&mut self) -> &mut CallLog {
        &mut self.log
    }
}

/// Shows calls in the browser's own tools: on its timeline, and in an extension for gRPC-Web.
#[cfg(target_arch = "wasm32")]
fn browser_tools() -> impl Fn(&CallEvent) + 'static {
    let timing = tonic_web_devtools::user_timing::observer();
    let devtools = tonic_web_devtools::extension::observer(super::devtools::describe);
    move |event| {
        timing(event);
        devtools(event);
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn browser_tools() -> impl Fn(&CallEvent) + 'static {
    |_| {}
}
