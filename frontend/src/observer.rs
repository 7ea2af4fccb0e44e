//! The observer of the page's channels.

use tonic_web_channel::observe::CallEvent;
use tonic_web_channel::rt::{MaybeSend, MaybeSync};

use crate::calls::Calls;

/// Shows calls in the panel and in the browser's own tools.
pub(crate) fn observer(calls: Calls) -> impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static {
    let tools = browser_tools();
    move |event| {
        calls.observe(event);
        tools(event);
    }
}

/// Shows calls in the browser's own tools: on its timeline, and in an extension for gRPC-Web.
#[cfg(target_arch = "wasm32")]
fn browser_tools() -> impl Fn(&CallEvent) + 'static {
    let timing = tonic_web_devtools::user_timing::observer();
    let devtools = tonic_web_devtools::extension::observer(crate::calls::describe());
    move |event| {
        timing(event);
        devtools(event);
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn browser_tools() -> impl Fn(&CallEvent) + Send + Sync + 'static {
    |_| {}
}
