//! The browser's microtasks, by which futures run: none begins in the middle of another.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(module = "/src/microtasks.js")]
extern "C" {
    /// Lets every microtask end before the next one begins. Call once, before the first future is spawned.
    pub(crate) fn one_at_a_time();
}
