//! The observers in a real browser, on a channel whose transport plays scripted responses.
//!
//! `cargo test --target wasm32-unknown-unknown -p tonic-web-devtools --tests` starts the browser.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

mod web {
    mod extension;
    mod support;
    mod user_timing;

    wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
}
