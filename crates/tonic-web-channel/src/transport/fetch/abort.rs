//! Ends a request that nobody waits for any more.

use wasm_bindgen::JsValue;
use web_sys::{AbortController, AbortSignal};

/// Aborts its request when it is dropped, unless the response was complete.
pub(super) struct Abort {
    controller: Option<AbortController>,
    signal: AbortSignal,
}

impl Abort {
    pub(super) fn new() -> Result<Self, JsValue> {
        let controller = AbortController::new()?;
        let signal = controller.signal();
        Ok(Self { controller: Some(controller), signal })
    }

    pub(super) fn signal(&self) -> AbortSignal {
        self.signal.clone()
    }

    /// There is nothing left to abort.
    pub(super) fn complete(&mut self) {
        self.controller = None;
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        if let Some(controller) = &self.controller {
            controller.abort();
        }
    }
}
