//! The transport over `fetch` in a real browser, against a server that answers wrongly on order.
//!
//! `cargo test --target wasm32-unknown-unknown -p channel --tests` starts browser and server by itself. What the orders are
//! is written in `dev/xtask/src/test/faults/answers.rs`.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

mod web {
    mod failures;
    mod leaving;
    mod responses;
    mod support;

    wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
}
