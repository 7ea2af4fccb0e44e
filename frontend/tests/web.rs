//! The page in a real browser: calls against a real server, and what only a browser has.
//!
//! `cargo test --target wasm32-unknown-unknown -p frontend` starts browser and server by itself.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

mod web {
    mod calls;
    mod lean;
    mod page;

    wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
}
